"""Hosts and units that are set aside, emptied, lost and removed, as the store keeps them."""

from __future__ import annotations

import uuid

import pytest

from aitrain.domain.admission import Site, admit
from aitrain.domain.errors import HostNotFound, InvalidInput
from aitrain.domain.flavor import BUILT_IN
from aitrain.domain.job import Job
from aitrain.domain.placement import Assignment, place
from aitrain.domain.spec import JobSpec
from aitrain.domain.states import State
from aitrain.store import HostTiming, Store

TIMING = HostTiming(60_000, 120_000)
SITE = Site(BUILT_IN, {"s3"}, 100, 1000)


def joined(store: Store, host: str = "h1", units: int = 2) -> bool:
    offered = {"cpu": [str(number) for number in range(units)]}
    return store.join_host(host, instance=host, units=offered, max_jobs=9, timing=TIMING)


def queued(store: Store, **fields: object) -> Job:
    spec = JobSpec.of(image="x", **{"resources": {"cpu": 1}, **fields})
    return store.submit(str(uuid.uuid4()), admit(spec, SITE)).job


def place_all(store: Store) -> None:
    for assignment in place(*store.placement_view(10), patience_s=60):
        store.assign(assignment)


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
    assert store.placement_view(10)[1]["cpu"][0].units == ("0",)


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
