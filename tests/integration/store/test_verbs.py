"""Single verbs of the store, where a random history would not say enough."""

from __future__ import annotations

import re
import threading
import uuid
from dataclasses import replace
from importlib import resources

import pytest

from aitrain.domain.admission import Admitted, Site, admit
from aitrain.domain.errors import InvalidInput, JobNotFound, QuotaExceeded, StoreUnavailable
from aitrain.domain.flavor import BUILT_IN, Kind
from aitrain.domain.job import Job
from aitrain.domain.placement import place
from aitrain.domain.retry import Again
from aitrain.domain.spec import JobSpec
from aitrain.domain.states import EndCause, State
from aitrain.store import HostJob, HostTiming, Lease, Store, Wanted
from aitrain.store.legend import LEGEND
from aitrain.store.scripts import SHARED
from workers.scratch.servers import RedisServer, free_port

TIMING = HostTiming(60_000, 120_000)
SITE = Site(BUILT_IN, {"s3"}, 100, 1000)


def admitted(**fields: object) -> Admitted:
    return admit(JobSpec.of(image="x", **{"resources": {"cpu": 1}, **fields}), SITE)


def queued(store: Store, **fields: object) -> Job:
    return store.get(store.submit(str(uuid.uuid4()), admitted(**fields)).job.id)


def placed(store: Store, **fields: object) -> Job:
    job = queued(store, **fields)
    store.join_host("h1", instance="one", units={"cpu": ["0", "1", "2", "3"]}, max_jobs=9, timing=TIMING)
    for assignment in place(store.placement_view()).assignments:
        assert store.assign(assignment)
    return store.get(job.id)


def the_hosts(store: Store) -> list[HostJob]:
    jobs = store.host_jobs("h1")
    assert jobs is not None
    return jobs


def test_submitting_the_same_id_twice_makes_one_job(store: Store) -> None:
    job_id = str(uuid.uuid4())
    store.submit(job_id, admitted())
    store.submit(job_id, admitted())
    assert [job.id for job in store.iter_jobs()] == [job_id]
    assert len(store.get(job_id).history) == 1


def test_a_quota_is_exact_under_many_producers(store: Store) -> None:
    store.set_quota("red", Kind.CPU, 7)
    refused = []

    def produce() -> None:
        for _ in range(3):
            try:
                store.submit(str(uuid.uuid4()), admitted(project="red"))
            except QuotaExceeded as error:
                refused.append(error)

    threads = [threading.Thread(target=produce) for _ in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(list(store.iter_jobs(Wanted(project="red", states=[State.QUEUED])))) == 7
    assert len(refused) == 23
    assert (refused[-1].limit, refused[-1].used, refused[-1].asked) == (7, 7, 1)
    assert "7 cpu units" in str(refused[-1])


def test_a_lifted_quota_limits_no_more(store: Store) -> None:
    store.set_quota("red", Kind.CPU, 0)
    with pytest.raises(QuotaExceeded):
        queued(store, project="red")
    store.set_quota("red", Kind.CPU, None)
    assert queued(store, project="red").state is State.QUEUED


def test_what_a_spec_says_comes_back(store: Store) -> None:
    job = queued(
        store, env={"A": "ü"}, volumes=["data@s3/p:/d:rw"], labels={"k": "v"}, timeout=77, command=["a", "b c"]
    )
    assert (job.spec.env, job.spec.labels, job.spec.command) == ({"A": "ü"}, {"k": "v"}, ("a", "b c"))
    assert (job.timeout_s, str(job.spec.volumes[0])) == (77, "data@s3/p/:/d:rw:no-cache")


def test_the_first_cause_stands(store: Store) -> None:
    job = placed(store)
    for state in (State.PENDING, State.RUNNING):
        assert store.transition(job.id, job.fence, state, fields={"started_ms": 1}).moved
    store.stop(job.id, "stopped by ann")
    store.transition(job.id, job.fence, State.FINALIZING, cause=EndCause.EXIT_CODE)
    assert store.get(job.id).end_cause is EndCause.STOPPED


def test_a_host_without_a_lease_gets_no_job(store: Store) -> None:
    job = queued(store)
    store.join_host("h1", instance="one", units={"cpu": ["0"]}, max_jobs=9, timing=HostTiming(-1, 120_000))
    assert place(store.placement_view()).assignments == []
    assert store.get(job.id).state is State.QUEUED


def test_one_of_two_deliveries_gets_the_lease(store: Store) -> None:
    job = placed(store)
    first, second = (Lease(job.id, job.fence, State.INITIALIZING, holder) for holder in ("a", "b"))
    assert store.begin_step(first, 60_000, "h1", "one").job
    assert not store.begin_step(second, 60_000, "h1", "one").job
    assert not store.transition(job.id, job.fence, State.PENDING, holder="b").moved
    assert store.transition(job.id, job.fence, State.PENDING, holder="a").moved


def test_a_start_keeps_its_lease_over_a_stop_order_until_it_gives_it_back(store: Store) -> None:
    job = placed(store)
    store.transition(job.id, job.fence, State.PENDING)
    lease = Lease(job.id, job.fence, State.PENDING, "a")
    store.begin_step(lease, 60_000, "h1", "one")
    store.stop(job.id, "stopped")
    assert store.renew_leases([lease], 60_000) == [False]
    assert the_hosts(store)[0].lease_live
    store.release_lease(lease)
    assert not the_hosts(store)[0].lease_live


def test_a_copy_loses_its_lease_to_a_stop_order_at_once(store: Store) -> None:
    job = placed(store)
    lease = Lease(job.id, job.fence, State.INITIALIZING, "a")
    store.begin_step(lease, 60_000, "h1", "one")
    store.stop(job.id, "stopped")
    assert not the_hosts(store)[0].lease_live


def test_a_lease_of_a_step_that_was_told_to_stop_is_kept_alive(redis: RedisServer, namespace: str) -> None:
    now = [1_800_000_000_000]
    store = Store(redis.url, namespace=namespace, clock_ms=lambda: now[0])
    job = placed(store)
    store.transition(job.id, job.fence, State.PENDING)
    lease = Lease(job.id, job.fence, State.PENDING, "a")
    store.begin_step(lease, 5000, "h1", "one")
    store.stop(job.id, "stopped")
    for _ in range(5):
        now[0] += 3000
        assert store.renew_leases([lease], 5000) == [False]
    assert the_hosts(store)[0].lease_live


def test_a_new_fence_is_made_when_the_run_begins(store: Store) -> None:
    job = queued(store)
    assert placed(store).fence != job.fence
    begun = store.get(job.id)
    assert begun.attempt == 1
    assert begun.fence != job.fence
    assert not store.transition(job.id, job.fence, State.PENDING).moved


def test_only_a_waiting_job_of_this_fence_is_assigned(store: Store) -> None:
    job = queued(store)
    store.join_host("h1", instance="one", units={"cpu": ["0", "1"]}, max_jobs=9, timing=TIMING)
    (right,) = place(store.placement_view()).assignments
    assert store.assign(replace(right, fence="1.0000000000000000")) is None
    assert store.assign(replace(right, units=("0", "1"))) is None
    assert store.assign(replace(right, units=("9",))) is None
    assert store.assign(replace(right, host="h9")) is None
    fence = store.assign(right)
    assert fence == store.get(job.id).fence
    assert store.assign(replace(right, fence=str(fence), units=("1",))) is None, "it does not wait any more"


def test_a_unit_that_is_named_twice_does_not_count_for_two(store: Store) -> None:
    job = queued(store, resources={"cpu": 2})
    store.join_host("h1", instance="one", units={"cpu": ["0", "1"]}, max_jobs=9, timing=TIMING)
    (right,) = place(store.placement_view()).assignments
    assert store.assign(replace(right, units=("0", "0"))) is None
    assert store.get(job.id).state is State.QUEUED
    assert store.assign(right) is not None


def test_a_worker_of_another_host_gets_no_lease(store: Store) -> None:
    job = placed(store)
    lease = Lease(job.id, job.fence, State.INITIALIZING, "a")
    assert not store.begin_step(lease, 60_000, "h2", "one").job


def test_another_machine_of_the_hosts_name_gets_neither_orders_nor_leases(store: Store) -> None:
    job = placed(store)
    assert (
        store.heartbeat("h1", instance="two", fit=True, seen=[], timing=HostTiming(1000, 120_000), resend_ms=1000)
        is None
    )
    lease = Lease(job.id, job.fence, State.INITIALIZING, "a")
    assert not store.begin_step(lease, 60_000, "h1", "two").job
    assert store.begin_step(lease, 60_000, "h1", "one").job


def test_two_machines_of_one_name(store: Store) -> None:
    store.join_host("h1", instance="one", units={"cpu": ["0"]}, max_jobs=9, timing=TIMING)
    with pytest.raises(InvalidInput, match="another machine"):
        store.join_host("h1", instance="two", units={"cpu": ["0"]}, max_jobs=9, timing=TIMING)
    store.join_host("h1", instance="one", units={"cpu": ["0"]}, max_jobs=9, timing=HostTiming(-1, 120_000))
    store.join_host("h1", instance="two", units={"cpu": ["0"]}, max_jobs=9, timing=TIMING)


def test_a_unit_that_was_withdrawn_while_it_was_held_does_not_come_back(store: Store) -> None:
    store.join_host("h1", instance="one", units={"cpu": ["0", "1"]}, max_jobs=9, timing=TIMING)
    job = queued(store, resources={"cpu": 2})
    for assignment in place(store.placement_view()).assignments:
        store.assign(assignment)
    store.join_host("h1", instance="one", units={"cpu": ["1"]}, max_jobs=9, timing=TIMING)
    store.transition(job.id, store.get(job.id).fence, State.FAILED)
    waits = queued(store)
    vacancies = store.placement_view()["cpu"].vacancies
    assert [vacancy.units for vacancy in vacancies] == [("1",)]
    assert waits.state is State.QUEUED


def test_whoever_stops_a_job_while_it_is_pushed_does_not_see_it_again(store: Store) -> None:
    job = placed(store, auto_restart=True)
    for state in (State.PENDING, State.RUNNING, State.TIMEOUT, State.FINALIZING):
        assert store.transition(job.id, job.fence, state).moved
    store.stop(job.id, "enough")
    for again in Again:
        assert not store.transition(job.id, job.fence, State.QUEUED, again=again).moved
    assert store.transition(job.id, job.fence, State.INTERRUPTED).moved


def test_a_silent_step_is_sent_again_less_and_less_often(redis: RedisServer, namespace: str) -> None:
    now = [1_800_000_000_000]
    store = Store(redis.url, namespace=namespace, clock_ms=lambda: now[0], grace_ms=1000)
    placed(store)
    sent = 0
    for _ in range(1000):
        now[0] += 1000
        heard = store.heartbeat(
            "h1", instance="one", fit=True, seen=[], timing=HostTiming(10**9, 120_000), resend_ms=1000
        )
        assert heard is not None
        sent += sum(job.resend for job in heard.jobs)
    assert 6 < sent < 30


RUN_WAY = (State.PENDING, State.RUNNING)


def test_a_start_that_is_sent_again_does_not_start_again(store: Store) -> None:
    job = queued(store)
    store.stop(job.id, "stopped")
    sent: list[dict[str, object]] = []
    run = store._run

    def recorded(name: str, arguments: dict[str, object]) -> object:
        sent.append(arguments)
        return run(name, arguments)

    store._run = recorded  # type: ignore[assignment]
    assert store.start(job.id, "again").done
    assert store.stop(job.id, "stopped").done
    assert run("start", sent[0])["done"], "the same answer"
    assert (store.get(job.id).state, store.get(job.id).attempt) == (State.INTERRUPTED, 2)


def test_a_machine_that_was_set_up_anew_does_not_take_the_old_ones_jobs(store: Store) -> None:
    job = placed(store)
    lapsed = HostTiming(-1, 120_000)
    store.heartbeat("h1", instance="one", fit=True, seen=[], timing=lapsed, resend_ms=1000)
    with pytest.raises(InvalidInput, match="still has jobs"):
        store.join_host("h1", instance="two", units={"cpu": ["0"]}, max_jobs=9, timing=lapsed)
    assert store.host_jobs("h1", instance="two") is None
    store.stop(job.id, "stopped")
    store.transition(job.id, job.fence, State.INTERRUPTED)
    store.join_host("h1", instance="two", units={"cpu": ["0"]}, max_jobs=9, timing=lapsed)


def test_a_retry_that_is_due_is_told_to_one_host(redis: RedisServer, namespace: str) -> None:
    now = [1_800_000_000_000]
    store = Store(redis.url, namespace=namespace, clock_ms=lambda: now[0])
    job = placed(store)
    store.transition(job.id, job.fence, State.QUEUED, pause_ms=5000)
    beat = {"instance": "one", "fit": True, "seen": [], "timing": HostTiming(60_000, 90_000), "resend_ms": 1000}
    assert [store.heartbeat("h1", **beat).place, place(store.placement_view()).assignments] == [False, []]  # type: ignore[union-attr, arg-type]
    now[0] += 5000
    assert [store.heartbeat("h1", **beat).place for _ in range(2)] == [True, False]  # type: ignore[union-attr, arg-type]
    assert len(place(store.placement_view()).assignments) == 1


def test_a_job_goes_elsewhere_than_where_the_platform_failed_it(store: Store) -> None:
    job = placed(store)
    store.join_host("h2", instance="two", units={"cpu": ["0", "1", "2", "3"]}, max_jobs=9, timing=HostTiming(60_000, 1))
    store.transition(job.id, job.fence, State.QUEUED)
    assert [one.host for one in place(store.placement_view()).assignments] == ["h2"]


def test_a_lost_host_and_whose_jobs_are_taken(redis: RedisServer, namespace: str) -> None:
    """By what the host said itself; not right after an outage of the sweep; not jobs that have ended."""
    now = [1_800_000_000_000]
    store = Store(redis.url, namespace=namespace, clock_ms=lambda: now[0])
    job = placed(store)

    def lost() -> list[str]:
        return store.jobs_of_lost_hosts(finalizing_ms=10**9, gap_ms=30_000, limit=9)

    seen = []
    for _ in range(12):
        seen.append((now[0], lost()))
        now[0] += 20_000
    took = next(at for at, ids in seen if ids)
    assert took - seen[0][0] == 120_000
    now[0] += 40_000
    assert lost() == [], "the sweep was away itself"
    for _ in range(6):
        now[0] += 20_000
        found = lost()
    assert found == [job.id]
    store.transition(job.id, job.fence, State.PENDING)
    store.transition(job.id, job.fence, State.RUNNING)
    store.transition(job.id, job.fence, State.FINALIZING)
    assert lost() == [], "its results may still come"
    store.transition(job.id, job.fence, State.DONE)
    assert not store.transition(job.id, job.fence, State.QUEUED, only_from=[State.FINALIZING], lost_ms=0).moved


def test_a_job_asks_once(store: Store) -> None:
    """What somebody else set since stands."""
    job = placed(store)
    assert store.edit(job.id, fence=job.fence, timeout_s=200, by_job=True).done
    assert store.edit(job.id, timeout_s=150).done
    assert store.edit(job.id, fence=job.fence, timeout_s=200, by_job=True).why == "asked"
    assert store.edit(job.id, fence=job.fence, timeout_s=120, by_job=True).why == "shorter"
    assert store.edit(job.id, fence="1.other", timeout_s=500, by_job=True).why == "late"
    assert store.get(job.id).timeout_s == 150


def test_labels_have_a_bound(store: Store) -> None:
    job = queued(store, labels={f"a{n}": "1" for n in range(60)})
    assert store.edit(job.id, labels={f"b{n}": "1" for n in range(4)}).done
    assert store.edit(job.id, labels={"c": "1"}).why == "labels"
    assert store.edit(job.id, labels={"c": "1"}, drop_labels=("b0",)).done


def test_no_such_job(store: Store) -> None:
    with pytest.raises(JobNotFound, match="nope"):
        store.get("nope")
    with pytest.raises(JobNotFound):
        store.stop("nope", "")
    assert not store.transition("nope", "1.x", State.PENDING).moved


def test_a_store_that_does_not_answer_says_so_in_bounded_time() -> None:
    store = Store(f"redis://127.0.0.1:{free_port()}/0")
    with pytest.raises(StoreUnavailable, match="is Redis running"):
        store.get("x")
    with pytest.raises(StoreUnavailable):
        store.submit("x", admitted())


@pytest.mark.parametrize("url", ["http://x", "redis://h/0?wrong=1", "rediss://h/0?ssl_cert_reqs=CERT_NONE"])
def test_a_url_that_is_none_is_named(url: str) -> None:
    with pytest.raises(InvalidInput, match="redis_url"):
        Store(url)


def test_scripts_are_reloaded_when_redis_forgot_them(store: Store, redis: RedisServer) -> None:
    from redis import Redis

    queued(store)
    Redis.from_url(redis.url).script_flush()
    assert queued(store).state is State.QUEUED


def test_every_script_says_what_it_takes_and_returns() -> None:
    folder = resources.files("aitrain.store") / "lua"
    verbs = [file for file in folder.iterdir() if file.name.endswith(".lua")]
    shared = list((folder / "shared").iterdir())
    assert {file.name for file in shared} == {f"{name}.lua" for name in SHARED}, "each is part of the prelude"
    for file in verbs + shared:
        text = file.read_text()
        head = "\n".join(line for line in text.splitlines()[:12] if line.startswith("--"))
        if file in verbs:
            assert "ARG:" in head, file.name
            assert "Returns" in head, file.name
        assert not re.search(r"['\"]\w+:", text), f"{file.name} builds a key by hand"
        assert set(re.findall(r"\bK\.(\w+)\(", text)) <= set(LEGEND), file.name
