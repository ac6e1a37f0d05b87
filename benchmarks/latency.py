"""Time from the call of submit_job to the start of the container's process, on an idle host."""

from __future__ import annotations

import time

from aitrain import submit_job
from benchmarks.bench import Bench, figures
from workers.scratch.images import BUSYBOX_IMAGE

ROUNDS = 60
WARM_UP = 3


def run(bench: Bench) -> None:
    """From submit_job to the container's process, beside the engine's own create + start of the same container."""
    engine = bench.bare_engine()
    site = bench.site()
    ours: list[float] = []
    bare: list[float] = []
    with site.host("bench", {"cpu": 4}, bench.engine.url), site.client() as client:
        for number in range(WARM_UP + ROUNDS):
            began = time.time()
            job = submit_job(BUSYBOX_IMAGE, ["true"], cpu=1, client=client)
            started_ms = client.wait(job.id, timeout=60).started_ms or 0
            ours.append(started_ms - began * 1000)
            # Until the container is removed the host is not idle.
            bench.wait_until_idle(site)

            spec = bench.same_container()
            began = time.time()
            container = engine.start(engine.create(spec), spec.command)
            bare.append((container.started_ms or 0) - began * 1000)
            engine.remove(container)
            if number < WARM_UP:
                ours.clear()
                bare.clear()
    figures("submit_job to process", ours, "ms")
    figures("bare create + start to process", bare, "ms")
    figures("what aitrain adds", [a - b for a, b in zip(ours, bare, strict=True)], "ms")
