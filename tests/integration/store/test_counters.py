"""What the store counts: each thing once, whatever is sent twice."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from aitrain.domain.counting import Counters, Durations, read_counters
from aitrain.domain.job import Direction, VolumeProgress
from aitrain.domain.retry import Again
from aitrain.domain.states import State
from tests.integration.store.one_host import HOUR, MINUTE, SECOND, OneHost
from workers.scratch.servers import RedisServer


@pytest.fixture
def site(redis: RedisServer, namespace: str) -> Iterator[OneHost]:
    site = OneHost(redis.url, namespace)
    yield site
    site.store.close()


def counters(site: OneHost) -> Counters:
    return read_counters(site.store._redis.hgetall(site.store._key("counters")))


def durations(found: dict[str, Durations]) -> dict[str, tuple[int, float]]:
    return {name: (one.count, one.sum_s) for name, one in found.items()}


def test_waits_and_steps_last_as_long_as_they_did(site: OneHost) -> None:
    job_id = site.placed()
    site.now_ms += 7 * SECOND
    site.move(job_id, State.PENDING)
    site.now_ms += 3 * SECOND
    site.move(job_id, State.RUNNING, ran_ms=0)
    site.now_ms += 3 * HOUR
    site.move(job_id, State.FINALIZING, ran_ms=3 * HOUR - 500)
    site.now_ms += 40 * SECOND
    site.move(job_id, State.DONE)
    told = counters(site)
    assert durations(told.waits) == {"cpu": (1, 0.0)}
    assert durations(told.steps) == {
        "sync_in": (1, 7.0), "start_container": (1, 3.0), "run": (1, 3 * 3600 - 0.5), "sync_out": (1, 40.0),
    }  # fmt: skip
    assert told.steps["run"].cumulated()[10:12] == [("3600.0", 0), ("10800.0", 1)]


def test_a_pause_is_no_wait_and_what_fails_has_no_duration(site: OneHost) -> None:
    job_id = site.placed()
    site.now_ms += 5 * SECOND
    site.move(job_id, State.QUEUED, again=Again.PLATFORM, pause_ms=MINUTE)
    site.now_ms += MINUTE + 30 * SECOND
    assert site.place(job_id)
    told = counters(site)
    assert durations(told.waits) == {"cpu": (2, 30.0)}
    assert told.steps == {}


def test_a_move_that_is_sent_twice_counts_once(site: OneHost, monkeypatch: pytest.MonkeyPatch) -> None:
    run = site.store._run

    def twice(name: str, arguments: dict[str, Any]) -> Any:
        first = run(name, arguments)
        if name in ("submit", "assign", "transition", "set_fields", "tick_billing"):
            run(name, arguments)
        return first

    monkeypatch.setattr(site.store, "_run", twice)
    job_id = site.running(cpu=2)
    site.store.set_progress(
        job_id, site.store.get(job_id).fence, {"/data": VolumeProgress(bytes=100, completed=1, cached=1)}
    )
    site.now_ms += 90 * SECOND
    site.seen(job_id, 90 * SECOND)
    site.store.tick_billing(10)
    site.move(job_id, State.FINALIZING, ran_ms=90 * SECOND)
    told = counters(site)
    assert set(told.moves.values()) == {1}
    assert len(told.moves) == 5
    assert told.unit_minutes == {("default", "cpu"): 2 * site.minutes(job_id)}
    assert told.copied == {("pull", "bytes"): 100, ("pull", "completed"): 1, ("pull", "cached"): 1}
    assert durations(told.steps)["run"] == (1, 90.0)


def test_copies_count_what_each_try_did(site: OneHost) -> None:
    job_id = site.placed()
    fence = site.store.get(job_id).fence

    def tell(path: str, **progress: Any) -> None:
        told[path] = VolumeProgress(**progress)
        assert site.store.set_progress(job_id, fence, told)

    told: dict[str, VolumeProgress] = {}
    tell("/a", bytes=10, completed=1)
    tell("/a", bytes=60, completed=3, failed=1)
    tell("/b", bytes=5, completed=1)
    # The worker was killed: the next one begins with what is left.
    tell("/a", bytes=0, skipped=3)
    tell("/a", bytes=40, completed=2, cached=1, cached_bytes=15)
    # And so was that one, and the first word of the third was lost.
    tell("/a", bytes=30, completed=1)
    tell("/a", direction=Direction.PUSH, bytes=7, completed=1, deleted=2)
    assert counters(site).copied == {
        ("pull", "bytes"): 135, ("pull", "completed"): 7, ("pull", "failed"): 1, ("pull", "cached"): 1,
        ("pull", "cached_bytes"): 15, ("push", "bytes"): 7, ("push", "completed"): 1, ("push", "deleted"): 2,
    }  # fmt: skip
    assert not site.store.set_progress(job_id, "0.late", {"/a": VolumeProgress(bytes=10**9)})
    assert counters(site).copied["pull", "bytes"] == 135
