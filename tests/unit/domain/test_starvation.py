"""Over simulated time: whoever has a host kept for it starts there by the time that what ran there had to be gone."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from hypothesis import given, settings
from hypothesis import strategies as st

from aitrain.domain.flavor import Kind
from aitrain.domain.placement import FlavorView, Rules, Vacancy, Waiting, place
from aitrain.domain.profile import Release

UNITS, PATIENCE_S, STEP_S = 4, 20, 5


@dataclass
class Running:
    job: Waiting
    units: tuple[str, ...]
    ends_s: float  # by itself
    deadline_s: float | None


@dataclass
class Fleet:
    """Hosts of four units, and a clock. Jobs run for as long as they are told, never beyond their timeout."""

    hosts: int
    now_s: float = 0
    queue: dict[str, tuple[Waiting, float]] = field(default_factory=dict)
    running: dict[str, list[Running]] = field(default_factory=dict)
    kept: dict[str, str] = field(default_factory=dict)
    bound_s: dict[str, float | None] = field(default_factory=dict)

    def submit(self, job: Waiting) -> None:
        self.queue[job.job_id] = (job, self.now_s)

    def vacancy(self, host: str) -> Vacancy:
        there = self.running.get(host, [])
        held = {unit for one in there for unit in one.units}
        releases = tuple(
            Release(one.job.units, None if one.deadline_s is None else one.deadline_s - self.now_s) for one in there
        )
        free = tuple(unit for unit in map(str, range(UNITS)) if unit not in held)
        return Vacancy(host, free, 99, UNITS, self.kept.get(host, ""), releases)

    def one_pass(self, lengths: dict[str, float]) -> None:
        hosts = [f"h{number}" for number in range(self.hosts)]
        kept_by = {job_id: host for host, job_id in self.kept.items()}
        waiting = [
            replace(job, waited_s=self.now_s - since, kept_host=kept_by.get(job.job_id, ""))
            for job, since in self.queue.values()
        ]
        view = FlavorView(waiting, [self.vacancy(host) for host in hosts], {}, max(0, 1 - len(self.kept)), True)
        plan = place({"v100s": view}, Rules(PATIENCE_S, margin_s=0))
        for keep in plan.keeps:
            self.kept[keep.host] = keep.job_id
            ends = [one.deadline_s for one in self.running.get(keep.host, [])]
            # Those placed there in this very pass came before it.
            mine = [self.queue[a.job_id][0] for a in plan.assignments if a.host == keep.host and not a.despite]
            ends += [self.now_s + job.timeout_s if job.timeout_s else None for job in mine]
            known = [end for end in ends if end is not None]
            self.bound_s[keep.job_id] = None if None in ends else max([self.now_s, *known])
        for assignment in plan.assignments:
            job, _ = self.queue.pop(assignment.job_id)
            if job.job_id in self.bound_s and (bound_s := self.bound_s[job.job_id]) is not None:
                assert self.now_s <= bound_s + STEP_S, "it waited for more than what ran there already"
            self.kept = {host: kept_for for host, kept_for in self.kept.items() if kept_for != job.job_id}
            length_s = min(lengths[job.job_id], job.timeout_s or float("inf"))
            deadline_s = self.now_s + job.timeout_s if job.timeout_s else None
            self.running.setdefault(assignment.host, []).append(
                Running(job, assignment.units, self.now_s + length_s, deadline_s)
            )

    def pass_time(self) -> None:
        self.now_s += STEP_S
        for host, there in self.running.items():
            self.running[host] = [one for one in there if one.ends_s > self.now_s]

    def overdue(self) -> list[str]:
        """Jobs that should have started by now."""
        late = [j for j, bound_s in self.bound_s.items() if bound_s is not None and bound_s + 2 * STEP_S < self.now_s]
        return [job_id for job_id in late if job_id in self.queue]


arrivals = st.lists(
    st.tuples(
        st.integers(0, 3),  # steps until it comes
        st.integers(1, UNITS),
        st.sampled_from([0, 10, 30, 60, 100]),  # timeout
        st.integers(1, 120),  # how long it would run
        st.sampled_from(["red", "blue"]),
    ),
    max_size=60,
)


@settings(max_examples=150, deadline=None)
@given(arrivals, st.integers(1, 3))
def test_nobody_waits_for_more_than_what_ran_on_the_host_that_is_kept_for_it(
    coming: list[tuple[int, int, int, int, str]], hosts: int
) -> None:
    fleet, lengths = Fleet(hosts), {}
    for number, (steps, units, timeout_s, length_s, project) in enumerate(coming):
        for _ in range(steps):
            fleet.pass_time()
            fleet.one_pass(lengths)
            assert fleet.overdue() == []
        job = Waiting(f"j{number}", "1.x", Kind.GPU, "v100s", units, 0, project=project, timeout_s=timeout_s)
        lengths[job.job_id] = length_s
        fleet.submit(job)
        fleet.one_pass(lengths)
    for _ in range(400):
        fleet.pass_time()
        fleet.one_pass(lengths)
        assert fleet.overdue() == []
        if not fleet.queue:
            return
    assert not fleet.queue, "whatever comes, each has its turn"


def test_a_stream_of_small_jobs_does_not_keep_a_large_one_waiting() -> None:
    """Without the host that is kept for it, it would wait for ever: there are always three units in use."""
    fleet, lengths = Fleet(1), {}
    for number in range(40):
        fleet.submit(Waiting(f"s{number}", "1.x", Kind.GPU, "v100s", 1, 0, timeout_s=20))
        lengths[f"s{number}"] = 15
        if number == 5:
            fleet.submit(Waiting("large", "1.x", Kind.GPU, "v100s", UNITS, 0, timeout_s=20))
            lengths["large"] = 15
        fleet.pass_time()
        fleet.one_pass(lengths)
    assert "large" not in fleet.queue
