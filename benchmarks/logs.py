"""A long log, compared with what its job wrote, though the agent that reads it is killed again and again."""

from __future__ import annotations

import resource
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import docker
import redis

from aitrain import Client, Job, JobState, submit_job
from aitrain.domain.host import HostState
from aitrain.domain.logs import NOTICE
from benchmarks.bench import Bench
from workers.runtime import Labels
from workers.scratch.images import BUSYBOX_IMAGE
from workers.scratch.servers import wait_until

LINES, KILLS = 1_000_000, 10
# As long as a line of a training log.
TEXT = "step {} loss 0.12345 lr 0.0003 tokens/s 123456 elapsed 00:12:34"
# It writes as fast as it can, in bursts that begin when they are let go: every agent is killed in the middle of one.
SCRIPT = (
    "BEGIN {{ for (i = 0; i < {lines}; i++) {{ if (i % {burst} == 0) {{ fflush(); "
    'while (system("[ -e /tmp/" i / {burst} " ]")) system("sleep 0.05") }} print "{text}" }} }}'
)


def run(bench: Bench) -> None:
    """A million lines from one job, the agent killed ten times: every line once, in order, and what that costs."""
    lines = max(KILLS, int(LINES * bench.scale))
    script = SCRIPT.format(lines=lines, text=TEXT.format('" i "'), burst=-(-lines // (KILLS + 1)))
    site = bench.site(logs={"container": "bench-logs@s3"})
    agent = site.host("bench", {"cpu": 1}, bench.engine.url, "agent")
    with (
        site.client() as client,
        site.control(),
        site.host("bench", {"cpu": 1}, bench.engine.url, "worker"),
        _peaks(bench, site.directory / "bench" / "logs") as peaks,
    ):
        spent_s = _children_s()
        with agent.another() as idle:
            wait_until(
                lambda: any(host.state is HostState.READY for host in client.hosts()), 120, lambda: "no host came"
            )
            idle.kill()
        start_s = _children_s() - spent_s
        spent_s, began = _children_s(), time.monotonic()
        job, had = submit_job(BUSYBOX_IMAGE, ["busybox", "awk", script], cpu=1, client=client), 0
        for burst in range(KILLS):
            with agent.another() as killed:
                _let_go(bench, client, job, burst)
                wait_until(
                    lambda had=had: client._store.log_state(job.id, 1).next > had,
                    120,
                    lambda: "no line came",  # type: ignore[misc]
                )
                killed.kill()
            had = client._store.log_state(job.id, 1).next
        with agent.another():
            _let_go(bench, client, job, KILLS)
            ended = client.wait(job.id, timeout=600)
            written_s = time.monotonic() - began
            wait_until(
                lambda: sum(count for _, count in client._store.log_state(job.id, 1).chunks) >= lines, 300,
                lambda: "the log is not in the object store",
            )  # fmt: skip
            kept_s = time.monotonic() - began
        agents_s, began = _children_s() - spent_s, time.monotonic()
        wrong = notices = number = 0
        for line in client.logs(job.id):
            if line.stream == NOTICE:
                notices += 1
                continue
            wrong += line.text != TEXT.format(number)
            number += 1
        read_s = time.monotonic() - began
    print(f"  {ended.state}: {number} lines of {lines}, {wrong} of them not as written, {notices} notices")
    print(f"  written and ended after {written_s:.1f} s, all in the object store after {kept_s:.1f} s")
    starts_s = (KILLS + 1) * start_s
    print(
        f"  {KILLS + 1} agents took {agents_s:.1f} s of processor time, about {starts_s:.1f} s of it to start: "
        f"{(agents_s - starts_s) / lines * 1e6:.1f} µs a line; reading it again took {read_s:.1f} s"
    )
    print(f"  at most {peaks.redis / 1e6:.1f} MB more in Redis, and {peaks.disk / 1e6:.1f} MB on the host's disk")


def _let_go(bench: Bench, client: Client, job: Job, burst: int) -> None:
    wait_until(lambda: client.get(job.id).state is JobState.RUNNING, 120, lambda: "it does not run")
    engine = docker.DockerClient(base_url=bench.engine.url)
    (container,) = engine.containers.list(filters={"label": f"{Labels.JOB}={job.id}"})
    container.exec_run(["touch", f"/tmp/{burst}"])  # noqa: S108


@dataclass
class Peaks:
    """The most that was seen, bytes."""

    redis: int = 0
    disk: int = 0


@contextmanager
def _peaks(bench: Bench, spools: Path) -> Iterator[Peaks]:
    """What a log takes meanwhile. redis: beyond what was there before."""
    peaks, over, asked = Peaks(), threading.Event(), redis.Redis.from_url(bench.redis.url)

    def used() -> int:
        return int(asked.info("memory")["used_memory"])

    before = used()

    def look() -> None:
        while not over.wait(0.2):
            peaks.redis = max(peaks.redis, used() - before)
            peaks.disk = max(peaks.disk, sum(_size(path) for path in spools.rglob("*")))

    thread = threading.Thread(target=look, daemon=True)
    thread.start()
    try:
        yield peaks
    finally:
        over.set()
        thread.join()


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:  # it was renamed or removed
        return 0


def _children_s() -> float:
    """Processor time of all processes that were ended and waited for."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime
