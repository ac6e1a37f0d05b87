"""Benchmarks still run: with tiny numbers, for they are looked at too rarely to be found broken then."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest

from aitrain import Client
from aitrain.settings import Settings
from aitrain.store import Store
from benchmarks import bills
from benchmarks.fleet import Sizes, measure
from workers.scratch.servers import RedisServer


def test_the_benchmarks_of_a_fleet_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    measure(tmp_path, Sizes(hosts=(1, 2), queued=(4, 8), samples=3, jobs=10, kept=10))
    said = capsys.readouterr().out
    for part in ("2 hosts, 8 queued", "came free", "from cold", "heartbeat of a host", "from submission to end",
                 "job that has ended", "in the ledger"):  # fmt: skip
        assert part in said
    assert "x 2 hosts" in said


def test_the_ledger_that_the_benchmark_of_bills_fills_is_one(store: Store, redis: RedisServer, namespace: str) -> None:
    bills.fill(store._redis, store._key, "red", 100, 10)
    with Client(Settings(redis_url=redis.url, namespace=namespace)) as client:
        bill = client.bill("red", bills.MONTH, by=["user", "label:team"])
    assert (sum(group.minutes for group in bill.groups), bill.counter_differs) == (1000, False)
    assert bill.total == Decimal("80.42"), "1000 minutes of 2.5 units at 1.93"
    assert len(bill.groups) == 10, "of ten jobs"
