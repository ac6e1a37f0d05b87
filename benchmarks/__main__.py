"""Runs benchmarks over a site of its own: `python -m benchmarks [NAME ...]`."""

from __future__ import annotations

import argparse
import shutil
import tempfile
from contextlib import ExitStack
from pathlib import Path

from benchmarks import (
    billing,
    bills,
    datasync,
    fleet,
    latency,
    listing,
    logs,
    metrics,
    placement,
    startup,
    submissions,
    throughput,
)
from benchmarks.bench import Bench
from workers.scratch.images import ensure_busybox
from workers.scratch.servers import DockerEngine, RedisServer, S3Server

ALL = {
    "latency": latency.run,
    "throughput": throughput.run,
    "submissions": submissions.run,
    "submissions-many": submissions.run_many,
    "datasync": datasync.run,
    "datasync-moto": datasync.run_moto,
    "listing": listing.run,
    "placement": placement.run,
    "fleet": fleet.run,
    "billing": billing.run,
    "bills": bills.run,
    "logs": logs.run,
    "metrics": metrics.run,
    "startup": startup.run,
}


def main() -> None:
    """Runs the named benchmarks, or all."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", choices=[*ALL, []], metavar="NAME", help=f"of {', '.join(ALL)}")
    parser.add_argument("--rounds", type=int, default=3, help="of the copies; each contender runs once in each")
    parser.add_argument("--scale", type=float, default=1.0, help="of the fleet: 0.01 for a quick look")
    asked = parser.parse_args()
    directory = Path(tempfile.mkdtemp(prefix="aitrain-bench-"))
    try:
        with ExitStack() as stack:
            engine = stack.enter_context(DockerEngine(directory / "engine"))
            ensure_busybox(engine.url)
            redis = stack.enter_context(RedisServer(directory / "redis"))
            s3 = stack.enter_context(S3Server(directory / "s3"))
            for name in asked.names or list(ALL):
                print(f"\n{name}: {(ALL[name].__doc__ or '').splitlines()[0]}")
                ALL[name](Bench(directory / name, engine, redis, s3, asked.rounds, asked.scale))
    finally:
        shutil.rmtree(directory, ignore_errors=True)


if __name__ == "__main__":
    main()
