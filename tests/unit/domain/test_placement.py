"""Placement never gives what is not free, lets smaller jobs pass, and lets none starve."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from aitrain.domain.flavor import Kind
from aitrain.domain.placement import Assignment, FlavorView, Plan, Rules, Vacancy, Waiting, place
from aitrain.domain.profile import Release

FLAVOR = "v100s"


def waiting(job_id: str, units: int, waited_s: float = 0, flavor: str = FLAVOR, **fields: Any) -> Waiting:
    return Waiting(job_id, "1.x", Kind.GPU, flavor, units, waited_s, **fields)


def vacancy(
    host: str,
    free: int,
    *,
    room: int = 9,
    capacity: int | None = None,
    kept_for: str = "",
    held: list[Any] | None = None,
) -> Vacancy:
    """held: [units, seconds until they come free] of each job there; one without an end if not given."""
    capacity = capacity or free
    rows = [[capacity - free, None]] if held is None else held
    releases = tuple(Release(units, in_s) for units, in_s in rows if units)
    return Vacancy(host, tuple(map(str, range(free))), room, capacity, kept_for, releases)


def planned(
    jobs: list[Waiting],
    hosts: list[Vacancy],
    patience_s: float = 600,
    keeps: int = 1,
    profiled: bool = True,
    **use: float,
) -> Plan:
    view = FlavorView(jobs, hosts, use, keeps, profiled)
    return place({FLAVOR: view}, Rules(patience_s, margin_s=0))


def placed(jobs: list[Waiting], hosts: list[Vacancy], patience_s: float = 600, **use: float) -> dict[str, Assignment]:
    return {a.job_id: a for a in planned(jobs, hosts, patience_s, **use).assignments}


def test_arrival_decides_between_equals() -> None:
    assert set(placed([waiting("a", 1), waiting("b", 1)], [vacancy("h", 1)])) == {"a"}


def test_the_fullest_host_that_fits_is_taken() -> None:
    hosts = [vacancy("large", 4), vacancy("small", 1)]
    assert placed([waiting("a", 1)], hosts)["a"].host == "small"


def test_a_smaller_job_may_pass_one_that_does_not_fit() -> None:
    assert set(placed([waiting("big", 4), waiting("small", 1)], [vacancy("h", 2, capacity=4)])) == {"small"}


def test_but_not_one_that_has_waited_too_long() -> None:
    assert placed([waiting("big", 4, waited_s=600), waiting("small", 1)], [vacancy("h", 2, capacity=4)]) == {}


def test_a_job_that_fits_no_host_holds_nobody_up() -> None:
    jobs = [waiting("huge", 8, waited_s=10_000), waiting("small", 1)]
    assert set(placed(jobs, [vacancy("h", 2, capacity=4)])) == {"small"}


def test_one_host_is_kept_for_a_job_that_waited_too_long_and_the_others_go_on() -> None:
    jobs = [waiting("big", 4, waited_s=600), waiting("small", 1)]
    hosts = [vacancy("almost", 3, capacity=4), vacancy("busy", 1, capacity=4), vacancy("little", 2, capacity=2)]
    assert placed(jobs, hosts)["small"].host == "busy"


def test_a_host_without_room_for_another_job_gets_none() -> None:
    assert placed([waiting("a", 1)], [vacancy("h", 1, room=0)]) == {}


def test_room_is_shared_between_the_flavors_of_a_host() -> None:
    view = {
        "cpu": FlavorView([waiting("c", 1, flavor="cpu")], [vacancy("h", 1, room=1)]),
        "v100s": FlavorView([waiting("g", 1)], [vacancy("h", 1, room=1)]),
    }
    assert len(place(view).assignments) == 1


def test_a_higher_priority_has_its_turn_first() -> None:
    jobs = [waiting("old", 1, waited_s=900), waiting("urgent", 1, priority=80)]
    assert set(placed(jobs, [vacancy("h", 1)])) == {"urgent"}


def test_projects_take_turns_and_the_one_that_used_less_begins() -> None:
    jobs = [waiting(f"{project}{n}", 1, 100 - n, project=project) for project in ("blue", "red") for n in range(4)]
    order = list(placed(jobs, [vacancy("h", 6)], red=0.0, blue=1.5))
    assert order == ["red0", "red1", "blue0", "red2", "blue1", "red3"]


def test_what_a_large_job_is_given_counts_for_its_project() -> None:
    jobs = [waiting("r0", 4, 9, project="red"), *(waiting(f"b{n}", 1, 5, project="blue") for n in range(5))]
    jobs.append(waiting("r1", 1, 8, project="red"))
    assert list(placed(jobs, [vacancy("h", 9)])) == ["r0", "b0", "b1", "b2", "b3", "r1"]


def test_of_two_projects_that_use_the_same_the_one_that_waits_longer_begins() -> None:
    jobs = [waiting("a", 1, 5, project="blue"), waiting("b", 1, 9, project="red")]
    assert set(placed(jobs, [vacancy("h", 1)], blue=2.0, red=2.0)) == {"b"}


def test_a_host_that_failed_a_job_is_taken_last() -> None:
    hosts = [vacancy("bad", 1), vacancy("good", 4)]
    assert placed([waiting("a", 1, avoid="bad")], hosts)["a"].host == "good"
    assert placed([waiting("a", 1, avoid="bad")], hosts[:1])["a"].host == "bad"


def test_the_host_that_is_kept_is_the_one_that_comes_free_first() -> None:
    hosts = [
        vacancy("never", 3, capacity=4),
        vacancy("late", 2, capacity=4, held=[[1, 50.0], [1, 900.0]]),
        vacancy("soon", 0, capacity=4, held=[[4, 500.0]]),
        vacancy("small", 1, capacity=2, held=[[1, 1.0]]),
    ]
    plan = planned([waiting("big", 4, waited_s=600), waiting("s", 1)], hosts)
    assert [(keep.job_id, keep.host) for keep in plan.keeps] == [("big", "soon")]
    assert [(a.job_id, a.host) for a in plan.assignments] == [("s", "small")]


def test_nothing_is_kept_while_nobody_could_pass() -> None:
    plan = planned([waiting("big", 4, waited_s=600)], [vacancy("h", 0, capacity=4)])
    assert plan == Plan()


def test_who_waits_too_long_is_not_passed_before_it_is_known_which_host_to_keep() -> None:
    jobs = [waiting("fits", 2, waited_s=900), waiting("big", 2, waited_s=800), waiting("small", 1)]
    hosts = [vacancy("a", 2, capacity=4), vacancy("b", 1, capacity=2)]
    plan = planned(jobs, hosts, profiled=False)
    assert ([a.job_id for a in plan.assignments], plan.keeps) == (["fits"], [])


def kept_case(*jobs: Waiting, starts_in_s: float | None = 100.0) -> Plan:
    """A host with three free units is kept for a job of four."""
    big = waiting("big", 4, waited_s=900, kept_host="h")
    host = vacancy("h", 3, capacity=4, kept_for="big", held=[[1, starts_in_s]])
    return planned([big, *jobs], [host])


def test_a_kept_host_takes_whoever_is_gone_before_it_is_needed() -> None:
    short, long, endless = waiting("s", 1, timeout_s=100), waiting("l", 1, timeout_s=101), waiting("e", 1)
    plan = kept_case(short, long, endless)
    assert [(a.job_id, a.despite) for a in plan.assignments] == [("s", "big")]
    assert kept_case(short, starts_in_s=None) == Plan(), "nobody knows when it is needed"


def test_a_kept_host_takes_a_higher_priority_but_not_the_same() -> None:
    plan = kept_case(waiting("same", 1, waited_s=5000), waiting("more", 1, priority=51))
    assert [a.job_id for a in plan.assignments] == ["more"]


def test_a_kept_host_takes_the_job_it_is_kept_for() -> None:
    big = waiting("big", 4, waited_s=900, kept_host="h")
    plan = planned([waiting("first", 4, 5000), big], [vacancy("h", 4, kept_for="big")])
    assert [(a.job_id, a.despite) for a in plan.assignments] == [("big", "")]


def test_no_more_hosts_are_kept_than_may_be() -> None:
    jobs = [waiting(f"big{n}", 4, waited_s=900) for n in range(3)]
    hosts = [vacancy(f"h{n}", 1, capacity=4) for n in range(5)]
    assert len(planned([*jobs, waiting("s", 1)], hosts, keeps=2).keeps) == 2


projects, priorities = st.sampled_from(["red", "blue", "green"]), st.sampled_from([0, 50, 50, 90])
queues = st.lists(st.tuples(st.integers(1, 8), st.floats(0, 1200), projects, priorities), max_size=30)
fleets = st.lists(st.tuples(st.integers(0, 8), st.integers(0, 4)), max_size=8)


@given(queues, fleets, st.integers(0, 2), st.integers(0, 8))
def test_never_over_capacity_and_always_the_same(
    jobs: list[tuple[int, float, str, int]], hosts: list[tuple[int, int]], keeps: int, kept: int
) -> None:
    queue = [
        waiting(f"j{n}", units, waited, project=project, priority=priority, kept_host="h0" if n == kept else "")
        for n, (units, waited, project, priority) in enumerate(jobs)
    ]
    kept_for = f"j{kept}" if kept < len(queue) else ""
    free = [
        vacancy(f"h{n}", units, room=room, capacity=8, kept_for="" if n else kept_for)
        for n, (units, room) in enumerate(hosts)
    ]
    plan = planned(queue, free, keeps=keeps)
    answer = {a.job_id: a for a in plan.assignments}
    assert len(answer) == len(plan.assignments)
    assert len(plan.keeps) <= keeps
    for host in free:
        taken = [a for a in answer.values() if a.host == host.host]
        units = [unit for a in taken for unit in a.units]
        assert len(units) == len(set(units)) <= len(host.units)
        assert len(taken) <= host.room
        for assignment in taken:
            if host.kept_for not in ("", assignment.job_id):
                assert assignment.despite == host.kept_for
    for job in queue:
        if job.job_id in answer:
            assert len(answer[job.job_id].units) == job.units
    assert planned(queue[::-1], free[::-1], keeps=keeps) == plan


@given(queues, fleets)
def test_nobody_is_placed_while_a_higher_priority_of_the_same_size_waits(
    jobs: list[tuple[int, float, str, int]], hosts: list[tuple[int, int]]
) -> None:
    queue = [waiting(f"j{n}", units, 0, project=p, priority=priority) for n, (units, _, p, priority) in enumerate(jobs)]
    answer = placed(queue, [vacancy(f"h{n}", units, room=room) for n, (units, room) in enumerate(hosts)])
    for job in queue:
        if job.job_id not in answer:
            smaller_or_same = [other for other in queue if other.job_id in answer and other.units >= job.units]
            assert all(other.priority >= job.priority for other in smaller_or_same)


@given(st.integers(2, 4), st.integers(1, 40))
def test_equal_demands_get_equal_shares(count: int, units: int) -> None:
    queue = [waiting(f"{project}-{n}", 1, n, project=str(project)) for project in range(count) for n in range(40)]
    answer = placed(queue, [vacancy("h", units, room=1000)])
    shares = [sum(job_id.startswith(f"{project}-") for job_id in answer) for project in range(count)]
    assert max(shares) - min(shares) <= 1
