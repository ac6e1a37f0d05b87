"""The plan of a drill follows from its seed, and leaves every job a way to its end."""

from __future__ import annotations

import uuid
from itertools import pairwise

import pytest

from workers.drill.breaking import BREAKING
from workers.drill.fates import FATES
from workers.drill.faults import FAULTS, HOSTS, Lane
from workers.drill.orders import spec_of
from workers.drill.plan import make_plan

SEEDS = range(20)


def test_the_same_seed_makes_the_same_drill() -> None:
    assert make_plan(7, 40, tuple(FAULTS)) == make_plan(7, 40, tuple(FAULTS))


def test_another_seed_makes_another_drill() -> None:
    one, other = (make_plan(seed, 40, tuple(FAULTS)) for seed in (7, 8))
    assert one.jobs != other.jobs
    assert one.faults != other.faults


def test_jobs_do_not_depend_on_the_faults() -> None:
    assert make_plan(7, 40, tuple(FAULTS)).jobs == make_plan(7, 40, ()).jobs
    assert make_plan(7, 40, ()).faults == ()


@pytest.mark.parametrize("jobs", [1, 2, 16, 40, 300])
def test_there_are_as_many_jobs_as_were_asked_for(jobs: int) -> None:
    for seed in SEEDS:
        plan = make_plan(seed, jobs, ())
        assert len({job.job_id for job in plan.jobs}) == jobs
        assert all(str(uuid.UUID(job.job_id)) == job.job_id for job in plan.jobs)
        assert [job.at_s for job in plan.jobs] == sorted(job.at_s for job in plan.jobs)


def test_a_large_drill_has_every_fate_and_every_fault_on_every_host() -> None:
    for seed in SEEDS:
        plan = make_plan(seed, 300, tuple(FAULTS))
        assert {job.fate for job in plan.jobs} == set(FATES)
        wanted = {(name, host) for name, kind in FAULTS.items() for host in (HOSTS if kind.on_host else ("",))}
        assert {(fault.kind, fault.host) for fault in plan.faults} == wanted


def test_faults_of_one_lane_do_not_meet() -> None:
    for seed in SEEDS:
        plan = make_plan(seed, 300, tuple(FAULTS))
        for lane in Lane:
            ours = [fault for fault in plan.faults if fault.lane is lane]
            assert all(one.at_s + one.lasts_s < other.at_s for one, other in pairwise(ours))


def test_what_operators_order_does_not_move_the_other_faults() -> None:
    orders = {name for name, kind in FAULTS.items() if kind.lane is Lane.ORDER}
    with_orders, without = (make_plan(7, 100, kinds).faults for kinds in (set(FAULTS), set(FAULTS) - orders))
    assert [fault for fault in with_orders if fault.kind not in orders] == list(without)


def test_only_the_kinds_that_were_asked_for_come() -> None:
    assert {fault.kind for fault in make_plan(7, 100, ("disk-full", "s3-frozen")).faults} == {"disk-full", "s3-frozen"}


def test_every_job_of_a_plan_is_one_that_can_be_submitted() -> None:
    for job in make_plan(7, 300, ()).jobs:
        assert spec_of(job).name == f"{job.fate}-{job.number}"


def test_every_fault_can_be_injected() -> None:
    assert BREAKING.keys() == FAULTS.keys()
