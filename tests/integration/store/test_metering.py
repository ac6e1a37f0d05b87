"""What a scrape reads: how the site stands, at a cost that no job adds to."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from aitrain.domain.admission import admit
from aitrain.domain.errors import StoreUnavailable
from aitrain.domain.host import HostState
from aitrain.domain.retry import Again
from aitrain.domain.spec import JobSpec
from aitrain.domain.states import State
from aitrain.store import HostTiming
from aitrain.store.legend import LEGEND
from aitrain.store.metering import Meter, UnitGauge
from aitrain.store.scripts import Scripts
from aitrain.store.weighing import BROKER, OTHER, Scales
from tests.integration.store.one_host import FOR_YEARS, HOUR, MINUTE, SITE, OneHost
from workers.scratch.servers import RedisServer


@pytest.fixture
def site(redis: RedisServer, namespace: str) -> Iterator[OneHost]:
    site = OneHost(redis.url, namespace)
    yield site
    site.store.close()


@pytest.fixture
def meter(redis: RedisServer, namespace: str, site: OneHost) -> Iterator[Meter]:
    """Reads by the site's clock."""
    meter = Meter(redis.url, namespace=namespace)
    meter._run = Scripts(meter._redis, meter._key.root, {}, lambda: site.now_ms)
    yield meter
    meter.close()


def submit(site: OneHost, **spec: object) -> str:
    admitted = admit(JobSpec.of(image="x", **{"resources": {"gpu": 1}, **spec}), SITE)
    return site.store.submit(str(uuid.uuid4()), admitted).job.id


def test_the_oldest_wait_is_found_behind_jobs_of_a_higher_priority(site: OneHost, meter: Meter) -> None:
    submit(site, priority=10)
    site.now_ms += HOUR
    submit(site, priority=90)
    submit(site, priority=90, project="red")
    site.now_ms += MINUTE
    submit(site, resources={"cpu": 1})
    told = meter.read(["v100s", "h100"])
    assert told.waiting == {"v100s": (3, 3660.0), "h100": (0, 0.0), "cpu": (1, 0.0)}
    assert told.oldest[State.QUEUED] == 3660.0
    assert sorted(told.standing) == [("default", "QUEUED", 3), ("red", "QUEUED", 1)]


def test_what_is_overdue_is_told_by_duty(site: OneHost, meter: Meter) -> None:
    job_id = site.running(timeout=600)
    assert meter.read([]).due["billing"] == (0, 0.0)
    site.now_ms += 11 * MINUTE
    told = meter.read([]).due
    assert told["billing"] == (1, 600.0), "its second minute began ten minutes ago"
    assert told["deadline"] == (1, 60.0)
    assert told["drain"] == (0, 0.0)
    site.move(job_id, State.QUEUED, again=Again.PLATFORM, pause_ms=MINUTE)
    told_now = meter.read([])
    assert (told_now.retries, told_now.due["retry"], told_now.due["billing"]) == (1, (0, 0.0), (0, 0.0))


def test_hosts_are_told_with_their_units_and_disk(site: OneHost, meter: Meter) -> None:
    site.running(gpu=2)
    site.store.cordon("h1", "g3")
    site.store.heartbeat(
        "h1", instance="h1", fit=True, seen=[], timing=FOR_YEARS, resend_ms=HOUR, disk=(5 * 10**12, 8 * 10**12)
    )
    site.store.join_host("h2", instance="h2", units={"cpu": ["0"]}, max_jobs=1, timing=HostTiming(1000, 5000))
    site.now_ms += 2000
    first, second = meter.read([]).hosts
    assert (first.name, first.state, first.jobs, first.disk) == ("h1", HostState.READY, 1, (5 * 10**12, 8 * 10**12))
    assert first.units == {"cpu": UnitGauge(12, 0, 0), "v100s": UnitGauge(4, 2, 1)}
    assert (second.state, second.seen_s_ago, second.disk) == (HostState.AWAY, 2.0, None)
    site.now_ms += 3000
    assert meter.read([]).hosts[1].state is HostState.LOST
    site.store.cordon("h1", drain_ms=-1)
    assert meter.read([]).hosts[0].state is HostState.DRAINING


def test_a_scrape_costs_no_more_with_more_jobs(site: OneHost, meter: Meter) -> None:
    def commands() -> int:
        stats = site.store._redis.info("commandstats")
        return sum(row["calls"] for name, row in stats.items() if name not in ("cmdstat_memory|usage", "cmdstat_info"))

    def cost() -> int:
        before = commands()
        meter.read([])
        return commands() - before

    submit(site)
    meter.read([])
    few = cost()
    for _ in range(60):
        submit(site)
    assert cost() == few


def test_keys_are_weighed_in_rounds(redis: RedisServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with RedisServer(tmp_path, durable=False) as own:
        site = OneHost(own.url, "site")
        connection = site.store._redis
        for _ in range(15):
            submit(site)
        connection.set("site:celery-thing", "x" * 1000)
        connection.set("stranger", "x" * 2000)
        monkeypatch.setattr("aitrain.store.weighing.SCAN_COUNT", 10)
        scales = Scales("site")
        scales.step(connection)
        assert sum(scales.told(connection.dbsize()).values()) > 0, "the first round is told as far as it is"
        while not scales.rounds:
            scales.step(connection)
        # Kinds of few keys are weighed exactly.
        expected: dict[str, int] = {}
        for name in connection.scan_iter():
            kind = scales.kind_of(name)
            expected[kind] = expected.get(kind, 0) + connection.memory_usage(name, samples=0)
        told = scales.told(connection.dbsize())
        assert set(told) == set(expected)
        for kind in ("job", "history", "broker", "other", "state"):
            assert told[kind] == pytest.approx(expected[kind], rel=0.05), kind
        assert (told[BROKER] > 1000, told[OTHER] > 2000) == (True, True)
        site.store.close()


def test_every_kind_of_key_is_known_by_its_name() -> None:
    scales = Scales("a")
    for name, key in LEGEND.items():
        assert scales.kind_of("{a}:" + key.pattern.format(**dict.fromkeys(key.parts, "p-1"))) == name
    assert scales.kind_of("{ab}:jobs") == OTHER


def test_a_store_that_is_away_is_told_at_once(tmp_path: Path) -> None:
    meter = Meter("redis://127.0.0.1:1/0", namespace="a")
    with pytest.raises(StoreUnavailable):
        meter.read([])
    meter.close()
