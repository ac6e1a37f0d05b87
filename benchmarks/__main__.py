"""Runs benchmarks over a site of its own: `python -m benchmarks [NAME ...]`."""

from __future__ import annotations

import argparse
import shutil
import tempfile
from contextlib import ExitStack
from pathlib import Path

from benchmarks import latency, submissions, throughput
from benchmarks.bench import Bench
from workers.scratch.images import ensure_busybox
from workers.scratch.servers import DockerEngine, RedisServer, S3Server

ALL = {"latency": latency.run, "throughput": throughput.run, "submissions": submissions.run}


def main() -> None:
    """Runs the named benchmarks, or all."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", choices=[*ALL, []], metavar="NAME", help=f"of {', '.join(ALL)}")
    names = parser.parse_args().names or list(ALL)
    directory = Path(tempfile.mkdtemp(prefix="aitrain-bench-"))
    try:
        with ExitStack() as stack:
            engine = stack.enter_context(DockerEngine(directory / "engine"))
            ensure_busybox(engine.url)
            redis = stack.enter_context(RedisServer(directory / "redis"))
            s3 = stack.enter_context(S3Server(directory / "s3"))
            for name in names:
                print(f"\n{name}: {(ALL[name].__doc__ or '').splitlines()[0]}")
                ALL[name](Bench(directory / name, engine, redis, s3))
    finally:
        shutil.rmtree(directory, ignore_errors=True)


if __name__ == "__main__":
    main()
