"""Rate of submissions from one producer."""

from __future__ import annotations

import time

from aitrain import submit_job
from aitrain.broker import Broker
from benchmarks.bench import Bench, figures

COUNT, ROUNDS = 2000, 5


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
