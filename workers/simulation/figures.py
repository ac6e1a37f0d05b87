"""What a simulation reports: figures of the whole, of each flavor and of each project. Pure."""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Mapping, Sequence

from pydantic import BaseModel, ConfigDict

from aitrain.domain.states import State
from aitrain.settings import Settings
from workers.simulation.fleet import Fleet
from workers.simulation.joblist import ListedJob
from workers.simulation.measures import Span, Told, busy_hours, cost, largest_queue, percentile, told
from workers.simulation.simulation import Replay


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True)


class Spread(_Part):
    """Percentiles and the largest."""

    p50: float
    p90: float
    p99: float
    max: float

    @classmethod
    def of(cls, values: Sequence[float]) -> Spread:
        """Of values in any order; zeros of none."""
        held = sorted(values)
        p50, p90, p99, most = (round(percentile(held, share), 3) for share in (0.5, 0.9, 0.99, 1.0))
        return cls(p50=p50, p90=p90, p99=p99, max=most)


class Group(_Part):
    """Figures of some jobs.

    ended: by state; wait_s: from submission until a host, of those that got one, seconds; slowdown: bounded, of those
    that ended, with its mean; unit_hours: units held, in hours of them; cost: in the site's currency; longest_queue:
    the most jobs that waited at one moment.
    """

    jobs: int
    ended: dict[str, int]
    never_started: int
    wait_s: Spread
    slowdown: Spread
    mean_slowdown: float
    unit_hours: float
    cost: str
    longest_queue: int


class FlavorGroup(Group):
    """Of a flavor, too: offered_hours: unit-hours of hosts that were there, until the last job ended; use: the share
    of them that jobs held.
    """

    offered_hours: float
    use: float


class Waiting(_Part):
    """Jobs that never got a host, and why. lines: the first of them in the list, counted from 1."""

    why: str
    jobs: int
    first: tuple[int, ...]


class Figures(_Part):
    """The report of one simulation. makespan_s: from the first submission to the last end, seconds."""

    policy: dict[str, str]
    jobs: int
    refused: dict[str, int]
    makespan_s: float
    total: Group
    flavors: dict[str, FlavorGroup]
    projects: dict[str, Group]
    never_started: tuple[Waiting, ...]


MOST_NAMED = 5


def figures(
    replay: Replay, listed: Sequence[ListedJob], fleet: Fleet, settings: Settings, policy: Mapping[str, str]
) -> Figures:
    """The report. policy: what was set for this simulation, to be named in it."""
    jobs = {number: told(job, listed[number], replay.end_ms) for number, job in sorted(replay.jobs.items())}
    over = all(job.ended_ms is not None for job in jobs.values()) and bool(jobs)
    last_ms = max(job.ended_ms or 0 for job in jobs.values()) if over else replay.end_ms
    first_ms = min((job.job.created_ms for job in jobs.values()), default=replay.begin_ms)
    up = {
        host: [(start, min(end, last_ms)) for start, end in spans if start < last_ms]
        for host, spans in replay.up.items()
    }
    everything = list(jobs.values())
    by_flavor: dict[str, list[Told]] = {flavor: [] for flavor in sorted(fleet.capacity())}
    by_project: dict[str, list[Told]] = {}
    for job in everything:
        by_flavor.setdefault(job.job.flavor, []).append(job)
        by_project.setdefault(job.job.project, []).append(job)
    return Figures(
        policy=dict(policy),
        jobs=len(listed),
        refused=dict(Counter(replay.refused.values())),
        makespan_s=(last_ms - first_ms) / 1000,
        total=_group(everything, up, settings),
        flavors={flavor: _flavor(of, flavor, up, fleet, settings) for flavor, of in by_flavor.items()},
        projects={project: _group(of, up, settings) for project, of in sorted(by_project.items())},
        never_started=_waiting(jobs, fleet, up, last_ms),
    )


def _group(jobs: Sequence[Told], up: Mapping[str, Sequence[Span]], settings: Settings) -> Group:
    waits = [job.wait_s for job in jobs if job.wait_s is not None]
    slowdowns = [job.slowdown for job in jobs if job.slowdown is not None]
    ended = Counter(job.job.state.value for job in jobs if job.ended_ms is not None)
    return Group(
        jobs=len(jobs),
        ended=dict(sorted(ended.items())),
        never_started=len(jobs) - len(waits),
        wait_s=Spread.of(waits),
        slowdown=Spread.of(slowdowns),
        mean_slowdown=round(statistics.fmean(slowdowns), 3) if slowdowns else 0.0,
        unit_hours=round(busy_hours(jobs, up), 3),
        cost=cost(jobs, settings),
        longest_queue=largest_queue(jobs),
    )


def _flavor(
    jobs: Sequence[Told], flavor: str, up: Mapping[str, Sequence[Span]], fleet: Fleet, settings: Settings
) -> FlavorGroup:
    group = _group(jobs, up, settings)
    offered_ms = sum(
        hosts.units.get(flavor, 0) * (end - start)
        for hosts in fleet.hosts
        for name in hosts.names
        for start, end in up[name]
    )
    use = busy_hours(jobs, up) / (offered_ms / 3_600_000) if offered_ms else 0.0
    return FlavorGroup(**group.model_dump(), offered_hours=round(offered_ms / 3_600_000, 3), use=round(use, 4))


def _waiting(
    jobs: Mapping[int, Told], fleet: Fleet, up: Mapping[str, Sequence[Span]], last_ms: int
) -> tuple[Waiting, ...]:
    found: dict[str, list[int]] = {}
    for number, job in jobs.items():
        if job.placed_ms is None:
            found.setdefault(_why(job, fleet, up, last_ms), []).append(number + 1)
    return tuple(Waiting(why=why, jobs=len(of), first=tuple(of[:MOST_NAMED])) for why, of in sorted(found.items()))


def _why(told: Told, fleet: Fleet, up: Mapping[str, Sequence[Span]], last_ms: int) -> str:
    job = told.job
    if job.state is not State.QUEUED:
        return f"{job.state}: {job.message}"
    most = fleet.capacity().get(job.flavor, 0)
    if most < job.units:
        largest = f"the largest has {most}" if most else "none offers the flavor"
        return f"no host of the fleet has {job.units} x {job.flavor}: {largest}"
    able = [name for hosts in fleet.hosts if hosts.units.get(job.flavor, 0) >= job.units for name in hosts.names]
    if not any(spans and spans[-1][1] >= last_ms for name in able if (spans := up[name])):
        return f"every host that has {job.units} x {job.flavor} was lost and did not come back"
    return f"it still waited for {job.units} x {job.flavor} when the simulation ended"
