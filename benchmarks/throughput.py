"""Rate of small jobs through a host that is always full."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor

import docker

from aitrain import submit_job
from benchmarks.bench import Bench, figures
from workers.scratch.images import BUSYBOX_IMAGE

JOBS, UNITS, ROUNDS = 100, 4, 3


def run(bench: Bench) -> None:
    """100 jobs that run `true` at 4 units, beside the same containers run by a bare script with 4 threads."""
    ours: list[float] = []
    bare: list[float] = []
    site = bench.site()
    with site.host("bench", {"cpu": UNITS}, bench.engine.url), site.client() as client:
        client.wait(submit_job(BUSYBOX_IMAGE, ["true"], cpu=1, client=client).id, timeout=60)
        for _ in range(ROUNDS):
            bare.append(JOBS / _bare(bench))
            began = time.monotonic()
            jobs = [submit_job(BUSYBOX_IMAGE, ["true"], cpu=1, client=client) for _ in range(JOBS)]
            for job in jobs:
                client.wait(job.id, timeout=300)
            bench.wait_until_idle(site)
            ours.append(JOBS / (time.monotonic() - began))
    figures("jobs through aitrain", ours, "/s")
    figures("containers by a bare script, 4 threads", bare, "/s")
    figures("ratio", [a / b for a, b in zip(ours, bare, strict=True)], "  ")


def _bare(bench: Bench) -> float:
    engine, client = bench.bare_engine(), docker.DockerClient(base_url=bench.engine.url, timeout=60)

    def one(_: int) -> None:
        spec = bench.same_container()
        container = engine.start(engine.create(spec), spec.command)
        client.api.wait(container.id)
        engine.remove(container)

    began = time.monotonic()
    with ThreadPoolExecutor(UNITS) as pool:
        list(pool.map(one, range(JOBS)))
    return time.monotonic() - began
