"""Rate of submissions from one producer."""

from __future__ import annotations

import time

from aitrain import JobSpec, submit_job, submit_jobs
from aitrain.broker import Broker
from benchmarks.bench import Bench, figures

COUNT, ROUNDS = 2000, 5
MANY, MANY_ROUNDS = 10_000, 3


def run(bench: Bench) -> None:
    """Submissions a second from one producer with no free host, beside bare Celery chains of four links enqueued."""
    ours: list[float] = []
    bare: list[float] = []
    site = bench.site()
    broker = Broker(bench.site().settings)
    with site.client() as client:
        for _ in range(ROUNDS):
            began = time.monotonic()
            for _ in range(COUNT):
                submit_job("x", ["true"], gpu=1, client=client)
            ours.append(COUNT / (time.monotonic() - began))
            began = time.monotonic()
            for number in range(COUNT):
                broker.send_chain(str(number), "1.x", "nobody")
            bare.append(COUNT / (time.monotonic() - began))
    figures("submit_job", ours, "/s")
    figures("bare chains enqueued", bare, "/s")
    figures("ratio", [a / b for a, b in zip(ours, bare, strict=True)], "  ")


def run_many(bench: Bench) -> None:
    """Jobs a second with submit_jobs, 10,000 at once, specs included, beside bare chains enqueued."""
    ours: list[float] = []
    bare: list[float] = []
    site = bench.site()
    broker = Broker(site.settings)
    with site.client() as client:
        for _ in range(MANY_ROUNDS):
            began = time.monotonic()
            specs = (
                JobSpec.of(image="x", command=["train", f"--lr={number}"], env={"N": str(number)}, resources={"gpu": 1})
                for number in range(MANY)
            )
            told = submit_jobs(specs, client=client)
            ours.append(MANY / (time.monotonic() - began))
            assert all(one.error is None for one in told)
            began = time.monotonic()
            for number in range(COUNT):
                broker.send_chain(str(number), "1.x", "nobody")
            bare.append(COUNT / (time.monotonic() - began))
    figures("submit_jobs", ours, "/s")
    figures("bare chains enqueued", bare, "/s")
    figures("ratio", [a / b for a, b in zip(ours, bare, strict=True)], " ")
