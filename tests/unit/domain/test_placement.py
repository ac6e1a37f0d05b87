"""Placement never gives what is not free, lets smaller jobs pass, and lets none starve."""

from hypothesis import given
from hypothesis import strategies as st

from aitrain.domain.flavor import Kind
from aitrain.domain.placement import Assignment, Vacancy, Waiting, place


def waiting(job_id: str, units: int, waited_s: float = 0, flavor: str = "v100s") -> Waiting:
    return Waiting(job_id, "1.x", Kind.GPU, flavor, units, waited_s)


def vacancy(host: str, free: int, *, room: int = 9, capacity: int | None = None) -> Vacancy:
    return Vacancy(host, tuple(map(str, range(free))), room, free if capacity is None else capacity)


def placed(jobs: list[Waiting], hosts: list[Vacancy], patience_s: float = 600) -> dict[str, Assignment]:
    return {a.job_id: a for a in place({"v100s": jobs}, {"v100s": hosts}, patience_s)}


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
    jobs = {"cpu": [waiting("c", 1, flavor="cpu")], "v100s": [waiting("g", 1)]}
    hosts = {"cpu": [vacancy("h", 1, room=1)], "v100s": [vacancy("h", 1, room=1)]}
    assert len(place(jobs, hosts, 600)) == 1


@given(
    st.lists(st.tuples(st.integers(1, 8), st.floats(0, 1200)), max_size=30),
    st.lists(st.tuples(st.integers(0, 8), st.integers(0, 4)), max_size=8),
)
def test_never_over_capacity_and_always_the_same(jobs: list[tuple[int, float]], hosts: list[tuple[int, int]]) -> None:
    queue = [waiting(f"j{n}", units, waited) for n, (units, waited) in enumerate(jobs)]
    free = [vacancy(f"h{n}", units, room=room) for n, (units, room) in enumerate(hosts)]
    answer = placed(queue, free)
    for host in free:
        taken = [a for a in answer.values() if a.host == host.host]
        units = [unit for a in taken for unit in a.units]
        assert len(units) == len(set(units)) <= len(host.units)
        assert len(taken) <= host.room
    for job in queue:
        if job.job_id in answer:
            assert len(answer[job.job_id].units) == job.units
    assert placed(queue, free) == answer
