"""What a scrape of the exporter costs, and how near the memory of keys by kind comes."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from prometheus_client import CollectorRegistry, generate_latest

from aitrain import JobSpec, submit_jobs
from aitrain.store import HostTiming
from aitrain.store.weighing import Scales
from benchmarks.bench import Bench, spread
from workers.metrics import exporter

JOBS, HOSTS, SCRAPES = 10_000, 100, 60
DAY_MS = 86_400_000


def run(bench: Bench) -> None:
    """A scrape with 10,000 jobs of ten projects that wait and 100 hosts, beside PING and an empty site."""
    site = bench.site()
    settings = site.settings
    with site.client() as client:
        store = client._store
        before = store._redis.info("memory")["used_memory"]
        scrape = _scraper(settings)
        _show("PING", lambda: store._redis.ping())
        _show("a scrape of an empty site", scrape)
        told = submit_jobs(
            (
                JobSpec.of(image="x", command=["train", str(n)], resources={"gpu": 1 + n % 4}, project=f"p{n % 10}")
                for n in range(int(JOBS * bench.scale))
            ),
            client=client,
        )
        assert all(one.error is None for one in told)
        for number in range(int(HOSTS * bench.scale)):
            store.join_host(
                f"h{number}", instance="one", units={"cpu": [str(n) for n in range(8)]}, max_jobs=8,
                timing=HostTiming(DAY_MS, DAY_MS),
            )  # fmt: skip
        _show(f"a scrape with {len(told)} jobs and {int(HOSTS * bench.scale)} hosts", scrape)
        scales, keys = Scales(settings.namespace), store._redis.dbsize()
        steps, began = 0, time.perf_counter()
        while not scales.rounds:
            scales.step(store._redis)
            steps += 1
        taken = time.perf_counter() - began
        print(f"  a round over {keys} keys: {steps} steps, {1000 * taken / steps:.2f} ms each")
        own = sum(scales.told(keys).values())
        print(f"  keys weigh {own / 1e6:.1f} MB; Redis grew by {_grown(store._redis, before) / 1e6:.1f} MB")


def _grown(redis: Any, before: int) -> int:
    return int(redis.info("memory")["used_memory"]) - before


def _scraper(settings: Any) -> Callable[[], object]:
    registry = CollectorRegistry()
    registry.register(exporter.SiteCollector(settings, soonest_s=0))
    return lambda: generate_latest(registry)


def _show(name: str, work: Callable[[], object]) -> None:
    taken = []
    for _ in range(SCRAPES):
        began = time.perf_counter()
        work()
        taken.append(1000 * (time.perf_counter() - began))
    spread(name, taken, "ms")
