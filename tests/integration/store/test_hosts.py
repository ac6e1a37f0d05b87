"""Hosts and units that are set aside, emptied, lost and removed, as the store keeps them."""

from __future__ import annotations

import uuid

import pytest

from aitrain.domain.admission import Site, admit
from aitrain.domain.errors import HostNotFound, InvalidInput
from aitrain.domain.flavor import BUILT_IN
from aitrain.domain.host import HostState
from aitrain.domain.job import Job
from aitrain.domain.placement import Assignment, place
from aitrain.domain.retry import Again
from aitrain.domain.spec import JobSpec
from aitrain.domain.states import EndCause, InfoCode, State
from aitrain.store import HostJob, HostTiming, Store
from workers.scratch.servers import RedisServer

TIMING = HostTiming(60_000, 120_000)
SITE = Site(BUILT_IN, {"s3"}, 100, 1000)


def joined(store: Store, host: str = "h1", units: int = 2) -> bool:
    offered = {"cpu": [str(number) for number in range(units)]}
    return store.join_host(host, instance=host, units=offered, max_jobs=9, timing=TIMING)


def queued(store: Store, **fields: object) -> Job:
    spec = JobSpec.of(image="x", **{"resources": {"cpu": 1}, **fields})
    return store.submit(str(uuid.uuid4()), admit(spec, SITE)).job


def place_all(store: Store) -> None:
    for assignment in place(store.placement_view()).assignments:
        store.assign(assignment)


def beat(store: Store, host: str = "h1", timing: HostTiming = TIMING) -> dict[str, HostJob]:
    heard = store.heartbeat(host, instance=host, fit=True, seen=[], timing=timing, resend_ms=5000)
    assert heard is not None
    return {job.job_id: job for job in heard.jobs}


def running(store: Store, job: Job) -> Job:
    """Puts a queued job onto a host, and lets it run there."""
    place_all(store)
    job = store.get(job.id)
    assert store.transition(job.id, job.fence, State.PENDING).moved
    assert store.transition(job.id, job.fence, State.RUNNING, fields={"started_ms": 1}).moved
    return store.get(job.id)


def stands(store: Store, host: str = "h1") -> dict[str, str]:
    return store._redis.hgetall(store._key("host_units", host, "cpu"))


def test_a_cordoned_host_gets_no_job_and_keeps_those_it_has(store: Store) -> None:
    first = queued(store)
    joined(store)
    place_all(store)
    store.cordon("h1", by="ann", reason="new disks")
    second = queued(store)
    place_all(store)
    assert (store.get(first.id).state, store.get(second.id).state) == (State.INITIALIZING, State.QUEUED)
    # A pass that looked before the cordon comes late.
    late = Assignment(second.id, second.fence, second.kind, "cpu", "h1", ("1",))
    assert store.assign(late) is None
    assert store.uncordon("h1"), "a job waits for it"
    place_all(store)
    assert store.get(second.id).state is State.INITIALIZING


def test_a_cordon_outlives_a_restart_of_the_host(store: Store) -> None:
    joined(store)
    store.cordon("h1")
    store.cordon("h1", "0", reason="fan")
    joined(store)
    queued(store, resources={"cpu": 1})
    assert not joined(store), "nothing there is for the job that waits"
    store.uncordon("h1")
    assert stands(store) == {"0": "!", "1": ""}


def test_a_unit_set_aside_while_it_is_held_comes_free_to_nobody(store: Store) -> None:
    job = queued(store, resources={"cpu": 2})
    joined(store)
    place_all(store)
    store.cordon("h1", "cpu/1")
    assert stands(store) == {"0": job.id, "1": job.id}
    fence = store.get(job.id).fence
    assert store.transition(job.id, fence, State.QUEUED).moved
    assert stands(store) == {"0": "", "1": "!"}
    queued(store)
    assert store.placement_view()["cpu"].vacancies[0].units == ("0",)


def test_a_unit_comes_back_when_neither_its_agent_nor_an_operator_has_anything_against_it(store: Store) -> None:
    joined(store)
    store.cordon("h1", "0", reason="fan")
    store.report_faults("h1", instance="h1", faults={"cpu": {"0": "memory in use", "1": "lost"}})
    queued(store)
    assert not store.uncordon("h1", "0"), "its agent finds it unfit"
    assert stands(store) == {"0": "!", "1": "!"}
    assert store.report_faults("h1", instance="h1", faults={"cpu": {"1": "lost"}}), "a job waits for the other"
    assert stands(store) == {"0": "", "1": "!"}


def test_another_machine_of_the_name_has_no_faults_of_the_first(store: Store) -> None:
    joined(store)
    store.report_faults("h1", instance="h1", faults={"cpu": {"0": "lost"}})
    store.cordon("h1", "1")
    store.join_host("h1", instance="h1", units={"cpu": ["0", "1"]}, max_jobs=9, timing=HostTiming(-1, 1))
    store.join_host("h1", instance="two", units={"cpu": ["0", "1"]}, max_jobs=9, timing=TIMING)
    assert stands(store) == {"0": "", "1": "!"}


def test_an_order_for_what_is_not_there_says_so(store: Store) -> None:
    with pytest.raises(HostNotFound, match="host list"):
        store.cordon("h9")
    store.join_host("h1", instance="h1", units={"cpu": ["0"], "v100s": ["0"]}, max_jobs=9, timing=TIMING)
    with pytest.raises(InvalidInput, match="FLAVOR/ID"):
        store.cordon("h1", "0")
    with pytest.raises(InvalidInput, match="no unit"):
        store.uncordon("h1", "7")
    store.cordon("h1", "v100s/0")
    assert stands(store) == {"0": ""}


def test_what_a_worker_finds_stands_beside_what_the_agent_said(store: Store) -> None:
    joined(store, units=3)
    store.report_faults("h1", instance="h1", faults={"cpu": {"0": "hot"}})
    store.report_faults("h1", instance="h1", faults={"cpu": {"1": "dirty"}}, beside=True)
    assert stands(store) == {"0": "!", "1": "!", "2": ""}
    store.report_faults("h1", instance="h1", faults={"cpu": {"0": "hot"}})
    assert stands(store) == {"0": "!", "1": "", "2": ""}, "a full report stands in place of all before it"


def test_a_host_joins_with_what_is_unfit(store: Store) -> None:
    first = queued(store)
    faults = {"cpu": {"0": "dirty"}}
    for _ in range(2):
        store.join_host("h1", instance="h1", units={"cpu": ["0"]}, max_jobs=9, timing=TIMING, faults=faults)
        place_all(store)
        assert (stands(store), store.get(first.id).state) == ({"0": "!"}, State.QUEUED)
    joined(store, units=1)
    assert stands(store) == {"0": "!"}, "one that has not looked yet leaves it as it stands"
    assert store.join_host("h1", instance="h1", units={"cpu": ["0"]}, max_jobs=9, timing=TIMING, faults={})
    assert stands(store) == {"0": ""}


def test_a_host_knows_the_units_of_its_jobs_while_they_hold_them(store: Store) -> None:
    job = queued(store)
    joined(store)
    place_all(store)
    (held,) = store.host_jobs("h1") or ()
    assert held.unit_ids == store.get(job.id).unit_ids != ()
    for state in (State.PENDING, State.RUNNING, State.FINALIZING):
        assert store.transition(job.id, held.fence, state).moved
    (held,) = store.host_jobs("h1") or ()
    assert held.unit_ids == ()


def test_a_drain_lets_jobs_finish_until_its_deadline(store: Store) -> None:
    joined(store)
    job = running(store, queued(store))
    store.cordon("h1", by="ann", reason="new disks", drain_ms=-1)
    assert beat(store)[job.id].state is State.RUNNING, "for as long as it takes"
    assert store.host_views(["h1"])[0].state is HostState.DRAINING
    store.cordon("h1", by="ann", reason="new disks", drain_ms=0)
    told = beat(store)[job.id]
    assert (told.state, told.evicting) == (State.INTERRUPTING, True)
    last = store.get(job.id).history[-1]
    assert (last.code, last.message) == (InfoCode.JOB_EVICTED, "host h1 is drained by ann: new disks")
    assert store.get(job.id).end_cause is None, "it may yet end by itself"


def test_an_evicted_job_waits_again_and_its_attempt_says_why(store: Store) -> None:
    joined(store)
    job = running(store, queued(store))
    store.cordon("h1", drain_ms=0)
    assert store.transition(job.id, job.fence, State.FINALIZING, cause=EndCause.EVICTED).moved
    assert store.transition(job.id, job.fence, State.QUEUED, again=Again.EVICTED).moved
    now = store.get(job.id)
    assert (now.state, now.attempt, now.evictions, now.platform_tries) == (State.QUEUED, 2, 1, 0)
    assert now.earlier_attempts[0].cause is EndCause.EVICTED
    assert (now.evicting, store.host_views(["h1"])[0].state) == (False, HostState.DRAINED)
    joined(store, "h2")
    place_all(store)
    assert store.get(job.id).host == "h2"


def test_a_stop_during_the_eviction_has_the_last_word(store: Store) -> None:
    joined(store)
    first, second = running(store, queued(store)), running(store, queued(store))
    store.cordon("h1", drain_ms=0)
    assert store.stop(first.id, "stopped by bob").done
    assert store.delete(second.id, force=True, message="deleted by bob").why == "stopping"
    assert not store.transition(first.id, first.fence, State.QUEUED, again=Again.EVICTED).moved
    assert not beat(store)[first.id].evicting
    for job in (first, second):
        assert store.transition(job.id, job.fence, State.FINALIZING, cause=EndCause.EVICTED).moved
        assert store.get(job.id).end_cause is EndCause.STOPPED
        assert not store.transition(job.id, job.fence, State.QUEUED, again=Again.EVICTED).moved


def test_a_timeout_that_is_reached_keeps_its_own_rule(store: Store) -> None:
    joined(store)
    job = running(store, queued(store))
    store._redis.hset(store._key("job", job.id), "deadline_ms", "1")
    store.cordon("h1", drain_ms=0)
    now = store.get(job.id)
    assert (now.state, now.evicting, now.end_cause) == (State.TIMEOUT, False, EndCause.TIMED_OUT)


def test_a_job_on_a_drained_unit_leaves_and_the_others_stay(store: Store) -> None:
    joined(store)
    jobs = [running(store, queued(store)) for _ in range(2)]
    store.cordon("h1", jobs[0].unit_ids[0], by="ann", drain_ms=0)
    assert [store.get(job.id).state for job in jobs] == [State.INTERRUPTING, State.RUNNING]
    assert "unit 0 of host h1 is drained by ann" in store.get(jobs[0].id).message


def test_beat_evicts_where_the_agent_is_silent_and_an_uncordon_ends_the_drain(store: Store, redis: RedisServer) -> None:
    now = [10**12]
    store = Store(redis.url, namespace=store._key.root[1:-2], clock_ms=lambda: now[0])
    joined(store)
    job = running(store, queued(store))
    store.cordon("h1", drain_ms=5000)
    store.uncordon("h1")
    now[0] += 6000
    assert store.sweep_drains(9) == []
    store.cordon("h1", drain_ms=5000)
    now[0] += 6000
    assert store.sweep_drains(9) == [job.id]
    store.close()


def test_a_host_that_comes_back_has_each_unit_once(store: Store) -> None:
    """Lost, its job is run elsewhere; when it is back its units are free, and what it says of the old run is late."""
    quick = HostTiming(-1, 0)
    joined(store)
    job = running(store, queued(store, resources={"cpu": 2}))
    store.join_host("h1", instance="h1", units={"cpu": ["0", "1"]}, max_jobs=9, timing=quick)
    assert store.jobs_of_lost_hosts(finalizing_ms=0, gap_ms=10**9, limit=9) == [job.id]
    assert store.transition(job.id, job.fence, State.QUEUED, lost_ms=0, cause=EndCause.HOST_LOST).moved
    joined(store, "h2")
    place_all(store)
    elsewhere = store.get(job.id)
    assert (elsewhere.host, elsewhere.attempt) == ("h2", 2)
    joined(store, "h1")
    assert beat(store, "h1") == {}
    assert not store.transition(job.id, job.fence, State.FINALIZING).moved
    assert stands(store, "h1") == {"0": "", "1": ""}
    assert stands(store, "h2") == {"0": job.id, "1": job.id}
    assert [store._redis.zscore(store._key("free", "cpu"), host) for host in ("h1", "h2")] == [2, 0]


def test_only_a_host_that_is_dead_and_empty_is_removed(store: Store) -> None:
    dead = HostTiming(-1, 0)
    joined(store)
    job = running(store, queued(store))
    store.cordon("h1", "1")

    def remove(force: bool = False) -> tuple[bool, str | None]:
        answer = store.remove_host("h1", force=force, message="removed", keep_ms=5000)
        return answer.done, answer.why

    assert remove(force=True) == (False, "alive")
    store.join_host("h1", instance="h1", units={"cpu": ["0", "1"]}, max_jobs=9, timing=HostTiming(-1, 60_000))
    assert (remove(), remove(force=True)) == ((False, "jobs"), (False, "not_lost"))
    store.join_host("h1", instance="h1", units={"cpu": ["0", "1"]}, max_jobs=9, timing=dead)
    assert remove(force=True) == (False, "jobs"), "a job that may run is the lost hosts' sweep's"
    assert store.transition(job.id, job.fence, State.FINALIZING, cause=EndCause.COMPLETED).moved
    assert remove() == (False, "jobs")
    assert remove(force=True) == (True, None)
    now = store.get(job.id)
    assert (now.state, now.code, now.end_cause) == (State.ERROR, InfoCode.JOB_SYNC_FAILED, EndCause.COMPLETED)
    with pytest.raises(HostNotFound):
        remove()
    assert (store.host_names(), store.dead_hosts().removed) == ([], ["h1"])
    assert not joined(store), "it joins anew"
    assert stands(store) == {"0": "", "1": ""}
    assert store.dead_hosts().removed == []


@pytest.mark.parametrize("order", ["stop", "delete", "edit"])
def test_a_job_whose_host_is_lost_at_its_timeout_obeys_an_order_that_comes_meanwhile(store: Store, order: str) -> None:
    # Given a job with auto-restart in TIMEOUT, of which the sweep for lost hosts has read that it is to run again
    joined(store)
    job = running(store, queued(store, auto_restart=True))
    assert store.transition(job.id, job.fence, State.TIMEOUT, cause=EndCause.TIMED_OUT).moved
    # when somebody does not want that any more
    if order == "stop":
        store.stop(job.id, "stop")
    elif order == "delete":
        store.delete(job.id, force=True, message="gone")
    else:
        store.edit(job.id, auto_restart=False)
    # then the sweep is late, and looks again
    late = store.transition(job.id, job.fence, State.QUEUED, only_from=[State.TIMEOUT], again=Again.RESTART)
    assert (late.moved, store.get(job.id).state) == (False, State.TIMEOUT)


@pytest.mark.parametrize("nonsense", ["x", "nan", "1e999", "", "1.5", "-7"])
def test_a_host_that_writes_nonsense_of_itself_harms_no_other(store: Store, nonsense: str) -> None:
    """It may write what is its own, whoever it is by now. What looks at all hosts goes on."""
    joined(store, "h1")
    away = HostTiming(-1, 0)
    store.join_host("h2", instance="h2", units={"cpu": ["0"]}, max_jobs=9, timing=away)
    written = dict.fromkeys(("seen_ms", "lost_ms", "max_jobs", "disk_free", "disk_size", "cordon_ms"), nonsense)
    store.join_host("bad", instance="bad", units={"cpu": ["0"]}, max_jobs=9, timing=away)
    store._redis.hset(store._key("host", "bad"), mapping={**written, "drain_ms": nonsense})
    store._redis.hset(store._key("host_aside", "bad"), "cpu/0", nonsense)
    assert {"h2"} <= set(store.dead_hosts().lost) <= {"h2", "bad"}
    assert store.jobs_of_lost_hosts(finalizing_ms=0, gap_ms=60_000, limit=10) == []
    assert [host.name for host in store.host_views(["h1", "h2", "bad"])] == ["h1", "h2", "bad"]
    rows = store._run("host_gauges", {"hosts": ["h1", "h2", "bad"]})
    assert [row["host"] for row in rows] == ["h1", "h2", "bad"]
