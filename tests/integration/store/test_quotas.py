"""Quotas: exact under many producers, refused or held, and let in when there is room."""

from __future__ import annotations

import threading
import uuid
from itertools import count

import pytest

from aitrain.domain.admission import Site, admit
from aitrain.domain.errors import QuotaExceeded
from aitrain.domain.flavor import BUILT_IN
from aitrain.domain.job import Job
from aitrain.domain.placement import place
from aitrain.domain.quota import OverQuota, QuotaKind
from aitrain.domain.retry import Again
from aitrain.domain.spec import JobSpec
from aitrain.domain.states import State
from aitrain.domain.waiting import Reason
from aitrain.store import HostTiming, Store
from workers.scratch.servers import RedisServer

TIMING = HostTiming(60_000, 120_000)
SITE = Site(BUILT_IN, {"s3"}, 100, 1000)


# Two that arrive in the same millisecond stand in the order of their ids: here, in that of their arrival.
IDS = map(uuid.UUID, map("{:032x}".format, count(1)))


def submitted(store: Store, **fields: object) -> Job:
    spec = JobSpec.of(image="x", **{"project": "red", "resources": {"cpu": 1}, **fields})
    return store.submit(str(next(IDS)), admit(spec, SITE)).job


def running(store: Store, job: Job) -> Job:
    store.join_host("h1", instance="one", units={"cpu": [str(n) for n in range(8)]}, max_jobs=9, timing=TIMING)
    for assignment in place(store.placement_view()).assignments:
        assert store.assign(assignment)
    job = store.get(job.id)
    for state in (State.PENDING, State.RUNNING):
        assert store.transition(job.id, job.fence, state, fields={"started_ms": 1}).moved
    return store.get(job.id)


def held(store: Store, *jobs: Job) -> list[bool]:
    return [store.get(job.id).held == "quota" for job in jobs]


@pytest.mark.parametrize("over", list(OverQuota))
def test_quotas_are_exact_under_fifty_producers(
    store: Store, redis: RedisServer, namespace: str, over: OverQuota
) -> None:
    """Each with a connection of its own. What is in the count fills the quota to the last unit."""
    store.set_quota("red", QuotaKind.CPU, 60)
    store.set_quota("red", QuotaKind.JOBS, 35)
    store.set_over_quota("red", over)
    refused: list[QuotaExceeded] = []
    begin = threading.Barrier(50)

    def produce() -> None:
        own = Store(redis.url, namespace=namespace)
        begin.wait(30)
        for _ in range(2):
            try:
                submitted(own)
            except QuotaExceeded as error:
                refused.append(error)
        own.close()

    threads = [threading.Thread(target=produce) for _ in range(50)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    used = {quota.kind: quota.used for quota in store.quotas("red")}
    assert used == {QuotaKind.GPU: 0, QuotaKind.CPU: 35, QuotaKind.JOBS: 35, QuotaKind.CACHE: 0}
    if over is OverQuota.HOLD:
        assert (store.held_count("red"), refused) == (65, [])
    else:
        assert (store.held_count("red"), len(refused)) == (0, 65)
        assert (refused[-1].kind, refused[-1].limit, refused[-1].used, refused[-1].asked) == ("jobs", 35, 35, 1)
        assert "35 jobs at once: 35 count" in str(refused[-1])


def test_held_jobs_are_let_in_by_priority_then_arrival_when_one_leaves(store: Store) -> None:
    store.set_quota("red", QuotaKind.CPU, 2)
    store.set_over_quota("red", OverQuota.HOLD)
    first = running(store, submitted(store, resources={"cpu": 2}))
    early, late, urgent = submitted(store), submitted(store), submitted(store, priority=90)
    assert held(store, early, late, urgent) == [True, True, True]
    assert place(store.placement_view()).assignments == [], "a held job stands in no line"

    told = store.explain(early.id)
    assert (told.reason, told.position, told.starts_by_ms) == (Reason.QUOTA, 2, None)
    assert "may have 2 cpu units at once, 2 are in use, and it needs 1; 1 held jobs have their turn" in told.message

    assert store.transition(first.id, first.fence, State.FINALIZING).moved
    assert held(store, early, late, urgent) == [False, True, False]
    assert {one.job_id for one in place(store.placement_view()).assignments} == {early.id, urgent.id}


def test_a_small_job_does_not_pass_a_large_one_that_is_held(store: Store) -> None:
    store.set_quota("red", QuotaKind.CPU, 4)
    store.set_over_quota("red", OverQuota.HOLD)
    submitted(store, resources={"cpu": 2})
    large, small = submitted(store, resources={"cpu": 4}), submitted(store)
    other = submitted(store, resources={"gpu": 1})
    assert held(store, large, small, other) == [True, True, False]
    store.stop(large.id, "enough")
    assert held(store, small) == [False], "nothing is before it any more"


def test_raising_or_lifting_a_quota_lets_in_at_once(store: Store) -> None:
    store.set_quota("red", QuotaKind.JOBS, 0)
    store.set_over_quota("red", OverQuota.HOLD)
    one, two = submitted(store), submitted(store)
    store.set_quota("red", QuotaKind.JOBS, 1)
    assert held(store, one, two) == [False, True]
    store.set_quota("red", QuotaKind.JOBS, None)
    assert held(store, one, two) == [False, False]


def test_a_held_job_can_be_stopped_started_and_deleted(store: Store) -> None:
    store.set_quota("red", QuotaKind.JOBS, 0)
    store.set_over_quota("red", OverQuota.HOLD)
    job = submitted(store)
    assert store.stop(job.id, "enough").state is State.INTERRUPTED
    assert store.start(job.id, "again").done
    assert held(store, job) == [True]
    assert store.delete(job.id, force=True, message="gone").done
    assert store.held_count("red") == 0


def test_what_the_platform_tries_again_keeps_its_place(store: Store) -> None:
    """It counts again at once, also where that is more than the quota: it was accepted once."""
    store.set_quota("red", QuotaKind.CPU, 1)
    store.set_over_quota("red", OverQuota.HOLD)
    job = running(store, submitted(store, auto_restart=True))
    waits = submitted(store)
    assert store.transition(job.id, job.fence, State.FINALIZING).moved
    assert held(store, waits) == [False]
    assert store.transition(job.id, job.fence, State.QUEUED, again=Again.RESTART).moved
    assert held(store, job) == [False]
    assert {quota.kind: quota.used for quota in store.quotas("red")}[QuotaKind.CPU] == 2


def test_more_than_one_batch_is_let_in_by_the_sweep(store: Store) -> None:
    store.set_quota("red", QuotaKind.CPU, 0)
    store.set_over_quota("red", OverQuota.HOLD)
    for _ in range(120):
        submitted(store)
    store.set_quota("red", QuotaKind.CPU, None)
    assert store.held_count("red") == 70
    assert [store.sweep_holds(), store.sweep_holds(), store.sweep_holds()] == [50, 20, 0]


def test_hosts_share_the_quota_of_cached_bytes(store: Store) -> None:
    """What one is about to add is kept for it; what a host held that is gone does not count."""
    for host in ("h1", "h2"):
        store.join_host(host, instance=host, units={"cpu": ["0"]}, max_jobs=9, timing=TIMING)
    assert not store.has_cache_quota("red")
    store.set_quota("red", QuotaKind.CACHE, 1000)
    assert store.has_cache_quota("red")
    store.tell_cached("h1", {"red": 300, "blue": 5})
    store.tell_cached("gone", {"red": 10_000})
    for _ in range(2):  # sent again, it keeps no more
        assert store.keep_cache("red", "h1", held=300, more=400) == 0
    assert store.keep_cache("red", "h2", held=0, more=400) == 100
    assert store.keep_cache("red", "h2", held=0, more=300) == 0
    assert {quota.kind: quota.used for quota in store.quotas("red")}[QuotaKind.CACHE] == 1000
    assert store.keep_cache("red", "h1", held=350, more=0) == 0
    assert [(quota.limit, quota.used) for quota in store.quotas()] == [(1000, 650)]
