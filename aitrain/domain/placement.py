"""Placement: which waiting job goes to which host. A pure function; the store commits each answer exactly or not.

Jobs have their turn in the order of fairshare.py. Each takes the fullest host that fits, so that large holes stay
whole; one where the platform failed it before, only if there is no other. A job that does not fit yet is passed by
smaller ones until it has waited for its patience. Then a host is kept for it: of those that could hold it, the one
whose units come free first by the deadlines of what runs there. A kept host takes the job it is kept for, jobs of a
higher priority, and jobs whose own timeout ends before it is expected to be free. So what the job waits for is what ran
there already.
"""

from __future__ import annotations

from bisect import insort
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from aitrain.domain.fairshare import in_turn
from aitrain.domain.flavor import Kind
from aitrain.domain.profile import Release, free_in_s


@dataclass(frozen=True)
class Rules:
    """What a site decides, in seconds.

    patience_s: a job that has waited so long has a host kept for it; margin_s: what a job needs beside its timeout (its
    data is copied first, and its container stopped after it), where it has to be gone by a time.
    """

    patience_s: float = 600
    margin_s: float = 300


@dataclass(frozen=True)
class Waiting:
    """A QUEUED job of one flavor.

    waited_s: seconds since it was queued; avoid: a host that failed it, taken last; timeout_s: 0 for none; kept_host:
    the host that is kept for it, "" if none is.
    """

    job_id: str
    fence: str
    kind: Kind
    flavor: str
    units: int
    waited_s: float
    avoid: str = ""
    project: str = "default"
    priority: int = 50
    timeout_s: int = 0
    kept_host: str = ""


@dataclass(frozen=True)
class Vacancy:
    """What a live host has left of one flavor.

    units: ids of the free ones; room: jobs it may still take on; capacity: units that jobs may have in all; kept_for:
    the job it is kept for; releases: when the others come free, None where nobody asked.
    """

    host: str
    units: tuple[str, ...]
    room: int
    capacity: int
    kept_for: str = ""
    releases: tuple[Release, ...] | None = None


@dataclass(frozen=True)
class FlavorView:
    """What placement knows of one flavor.

    waiting: jobs to consider, among them those that hosts are kept for; use: of each project that waits (see
    fairshare.in_turn); keeps: how many more hosts may be kept; profiled: the releases of the hosts that could be are
    known.
    """

    waiting: Sequence[Waiting]
    vacancies: Sequence[Vacancy]
    use: Mapping[str, float] = field(default_factory=dict)
    keeps: int = 0
    profiled: bool = False


@dataclass(frozen=True)
class Assignment:
    """A job, the host it goes to, and the exact units it gets there.

    despite: the job that the host is kept for; project: of the job, for those who look on.
    """

    job_id: str
    fence: str
    kind: Kind
    flavor: str
    host: str
    units: tuple[str, ...]
    despite: str = ""
    project: str = ""


@dataclass(frozen=True)
class Keep:
    """A host that is kept for a job that waits."""

    job_id: str
    fence: str
    flavor: str
    host: str


@dataclass
class Plan:
    """What a pass decided."""

    assignments: list[Assignment] = field(default_factory=list)
    keeps: list[Keep] = field(default_factory=list)


@dataclass(eq=False)
class _Free:
    """A host while a pass works. kept: the job that it is kept for; start_s: when that is expected to start there."""

    vacancy: Vacancy
    units: list[str]
    kept: Waiting | None = None
    start_s: float | None = None

    @property
    def name(self) -> str:
        return self.vacancy.host


def place(view: Mapping[str, FlavorView], rules: Rules | None = None) -> Plan:
    """Assignments for what waits and what is free, by flavor id, and hosts to keep for what has waited too long."""
    plan = Plan()
    room: dict[str, int] = {}  # hosts that offer several flavors share it between them
    for flavor in sorted(view):
        _FlavorPass(view[flavor], rules or Rules(), room, plan).run()
    return plan


class _FlavorPass:
    def __init__(self, view: FlavorView, rules: Rules, room: dict[str, int], plan: Plan) -> None:
        self._view, self._rules, self._room, self._plan = view, rules, room, plan
        self._keeps = view.keeps
        jobs = {job.job_id: job for job in view.waiting}
        self._hosts: dict[str, _Free] = {}
        self._kept: list[_Free] = []
        # Hosts that are not kept, by number of free units, then by name.
        self._open: dict[int, list[str]] = {}
        for vacancy in view.vacancies:
            room.setdefault(vacancy.host, vacancy.room)
            host = self._hosts[vacancy.host] = _Free(vacancy, list(vacancy.units))
            if vacancy.kept_for:
                self._keep(host, jobs.get(vacancy.kept_for))
            elif vacancy.units:
                insort(self._open.setdefault(len(vacancy.units), []), vacancy.host)

    def run(self) -> None:
        """Gives each job its turn."""
        in_turn(self._view.waiting, self._view.use, self._turn)

    def _turn(self, job: Waiting) -> int:
        host = self._own(job) or self._fullest_open(job) or self._kept_for_another(job)
        if host is not None:
            self._assign(job, host)
            return job.units
        if (
            job.waited_s >= self._rules.patience_s
            and not job.kept_host
            and self._keeps > 0
            and self._lets_others_pass()
        ):
            if not self._view.profiled:
                return -1  # the next look knows which host to keep, and nobody passes this job before
            self._keep_one(job)
        return 0

    def _lets_others_pass(self) -> bool:
        return any(self._room[name] > 0 for names in self._open.values() for name in names)

    def _fits(self, job: Waiting, host: _Free) -> bool:
        return len(host.units) >= job.units and self._room[host.name] > 0

    def _own(self, job: Waiting) -> _Free | None:
        host = self._hosts.get(job.kept_host)
        own = host is not None and host.vacancy.kept_for == job.job_id and self._fits(job, host)
        return host if own else None

    def _fullest_open(self, job: Waiting) -> _Free | None:
        avoided = None
        for free in sorted(size for size, names in self._open.items() if size >= job.units and names):
            for name in self._open[free]:
                if self._room[name] > 0:
                    if name != job.avoid:
                        return self._hosts[name]
                    avoided = self._hosts[name]
        return avoided

    def _kept_for_another(self, job: Waiting) -> _Free | None:
        allowed = [host for host in self._kept if self._fits(job, host) and self._may_pass(job, host)]
        return min(allowed, key=lambda host: (host.name == job.avoid, len(host.units), host.name), default=None)

    def _may_pass(self, job: Waiting, host: _Free) -> bool:
        if host.kept is None:  # nothing is known of whom it is kept for
            return False
        in_time = host.start_s is not None and 0 < job.timeout_s <= host.start_s - self._rules.margin_s
        return job.priority > host.kept.priority or in_time

    def _assign(self, job: Waiting, host: _Free) -> None:
        taken, left = host.units[: job.units], host.units[job.units :]
        if host.kept is None and not host.vacancy.kept_for:
            self._open[len(host.units)].remove(host.name)
            if left:
                insort(self._open.setdefault(len(left), []), host.name)
        elif host.vacancy.kept_for == job.job_id:
            host.kept = None  # what is left there is free for all from the next look on
        host.units = left
        self._room[host.name] -= 1
        despite = host.kept.job_id if host.kept is not None else ""
        self._plan.assignments.append(
            Assignment(job.job_id, job.fence, job.kind, job.flavor, host.name, tuple(taken), despite, job.project)
        )

    def _keep(self, host: _Free, job: Waiting | None) -> None:
        host.kept = job
        host.start_s = None if job is None else free_in_s(len(host.units), host.vacancy.releases or (), job.units)
        self._kept.append(host)

    def _keep_one(self, job: Waiting) -> None:
        """Keeps a host for a job, if there is one that could hold it."""
        able = [
            (start_s is None, start_s or 0.0, -len(host.units), host.name)
            for host in self._hosts.values()
            if host not in self._kept and host.vacancy.capacity >= job.units and host.vacancy.releases is not None
            for start_s in [free_in_s(len(host.units), host.vacancy.releases, job.units)]
        ]
        if not able:
            return
        host = self._hosts[min(able)[-1]]
        if host.units:
            self._open[len(host.units)].remove(host.name)
        self._keep(host, job)
        self._keeps -= 1
        self._plan.keeps.append(Keep(job.job_id, job.fence, job.flavor, host.name))
