"""Placement: which waiting job goes to which host. A pure function; the store commits each answer exactly or not."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from aitrain.domain.flavor import Kind


@dataclass(frozen=True)
class Waiting:
    """A QUEUED job of one flavor. waited_s: seconds since it was queued; avoid: a host that failed it, taken last."""

    job_id: str
    fence: str
    kind: Kind
    flavor: str
    units: int
    waited_s: float
    avoid: str = ""


@dataclass(frozen=True)
class Vacancy:
    """What a live host has left of one flavor.

    units: ids of the free ones; room: jobs it may still take on; capacity: units it has in all.
    """

    host: str
    units: tuple[str, ...]
    room: int
    capacity: int


@dataclass(frozen=True)
class Assignment:
    """A job, the host it goes to, and the exact units it gets there."""

    job_id: str
    fence: str
    kind: Kind
    flavor: str
    host: str
    units: tuple[str, ...]


@dataclass
class _Free:
    host: str
    units: list[str]
    capacity: int


@dataclass
class PlacementPass:
    """One pass over a site. Hosts that offer several flavors share their room between them."""

    room: dict[str, int] = field(default_factory=dict)
    assignments: list[Assignment] = field(default_factory=list)

    def flavor(self, waiting: Sequence[Waiting], vacancies: Iterable[Vacancy], patience_s: float) -> None:
        """Places the jobs of one flavor, in the order of arrival.

        A smaller job may pass one that does not fit yet, until that one has waited for patience_s. From then on one
        host is kept for it: of those that could hold it, the one with the most free units. Since nothing is placed
        there, its free units only grow until the job fits. Among the hosts that fit, the fullest is taken, so that
        large holes stay whole; one where the platform failed the job before, only if there is no other.
        """
        free = []
        for vacancy in vacancies:
            self.room.setdefault(vacancy.host, vacancy.room)
            free.append(_Free(vacancy.host, list(vacancy.units), vacancy.capacity))
        for job in waiting:
            fitting = [f for f in free if len(f.units) >= job.units and self.room[f.host] > 0]
            if fitting:
                best = min(fitting, key=lambda f: (f.host == job.avoid, len(f.units), f.host))
                taken, best.units = best.units[: job.units], best.units[job.units :]
                self.room[best.host] -= 1
                self.assignments.append(
                    Assignment(job.job_id, job.fence, job.kind, job.flavor, best.host, tuple(taken))
                )
            elif job.waited_s >= patience_s:
                able = [f for f in free if f.capacity >= job.units]
                if able:
                    free.remove(max(able, key=lambda f: (len(f.units), f.host)))


def place(
    waiting: Mapping[str, Sequence[Waiting]], vacancies: Mapping[str, Sequence[Vacancy]], patience_s: float
) -> list[Assignment]:
    """Assignments for what waits and what is free, both by flavor id."""
    run = PlacementPass()
    for flavor in sorted(waiting):
        run.flavor(waiting[flavor], vacancies.get(flavor, ()), patience_s)
    return run.assignments
