"""A host as an operator sees it. Pure: its state follows from what the store holds."""

from __future__ import annotations

from enum import StrEnum

from pydantic import BaseModel, ConfigDict, computed_field

from aitrain.domain.states import State


class HostState(StrEnum):
    """How a host stands; the first of these that is true of it."""

    LOST = "LOST"
    AWAY = "AWAY"
    DRAINING = "DRAINING"
    DRAINED = "DRAINED"
    CORDONED = "CORDONED"
    UNFIT = "UNFIT"
    READY = "READY"


MEANINGS: dict[HostState, str] = {
    HostState.LOST: "silent for so long that it has stopped its containers; its jobs are run elsewhere",
    HostState.AWAY: "its lease has lapsed: it gets no jobs, and keeps those that it has for now",
    HostState.DRAINING: "it gets no jobs, and those that it has finish or are evicted",
    HostState.DRAINED: "it gets no jobs, and has none left",
    HostState.CORDONED: "it gets no jobs; those that it has go on",
    HostState.UNFIT: "its Docker Engine does not answer: it gets no jobs meanwhile",
    HostState.READY: "it gets jobs",
}


def host_state(*, lost: bool, alive: bool, fit: bool, cordoned: bool, drained: bool, busy: bool) -> HostState:
    """How a host stands. drained: it was ordered to be; busy: it has jobs; the others as in HostView."""
    if lost:
        return HostState.LOST
    if not alive:
        return HostState.AWAY
    if drained:
        return HostState.DRAINING if busy else HostState.DRAINED
    if cordoned:
        return HostState.CORDONED
    return HostState.READY if fit else HostState.UNFIT


class _View(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class UnitView(_View):
    """One unit of a host. job_id: of the job that holds it, "" if none does.

    fault: why its agent finds it unfit, since fault_ms; cordon: why an operator set it aside, None if nobody did,
    cordon_by, cordon_ms: who, and since when; drain_ms: when its job is evicted, 0 for never, None if it is not
    drained. *_ms: Unix time, ms, by the store's clock.
    """

    id: str
    job_id: str = ""
    fault: str | None = None
    fault_ms: int | None = None
    cordon: str | None = None
    cordon_by: str = ""
    cordon_ms: int | None = None
    drain_ms: int | None = None

    @computed_field  # type: ignore[prop-decorator]
    @property
    def aside(self) -> bool:
        """Whether no job gets it."""
        return self.fault is not None or self.cordon is not None

    @property
    def why_aside(self) -> str:
        """Why no job gets it, for people; "" if jobs do."""
        said = []
        if self.fault is not None:
            said.append(self.fault)
        if self.cordon is not None:
            order = "cordoned" if self.drain_ms is None else "drained"
            by = f" by {self.cordon_by}" if self.cordon_by else ""
            said.append(f"{order}{by}" + (f": {self.cordon}" if self.cordon else ""))
        return "; ".join(said)


class FlavorView(_View):
    """The units of one flavor that a host has."""

    flavor: str
    units: tuple[UnitView, ...]

    @property
    def total(self) -> int:
        """How many there are."""
        return len(self.units)

    @property
    def held(self) -> int:
        """How many of them jobs hold."""
        return sum(bool(unit.job_id) for unit in self.units)

    @property
    def aside(self) -> int:
        """How many nobody holds and no job gets."""
        return sum(unit.aside and not unit.job_id for unit in self.units)

    @property
    def free(self) -> int:
        """How many a job may have, as far as the units go."""
        return self.total - self.held - self.aside


class HeldJob(_View):
    """A job that a host has work to do for."""

    id: str
    state: State
    flavor: str
    units: int


class HostView(_View):
    """A host. seen_ms_ago: since its last heartbeat, ms; max_jobs: how many it holds at once.

    alive: its lease holds; lost: silent for as long as it said itself; fit: its engine answers; cordon_ms: since when
    it is cordoned, None if it is not, cordon_by, cordon_reason: by whom and why; drain_ms: when its jobs are evicted, 0
    for never, None if it is not drained; messages: that wait in its queues, None if the broker does not answer;
    dropped: messages that were dropped from them while it was lost; disk_free, disk_size: bytes of the file system of
    its data, None if it has not said; agent_version, worker_version: of aitrain, as each said at its start, "" if it
    did not. Times: Unix, ms, by the store's clock.
    """

    name: str
    agent_version: str = ""
    worker_version: str = ""
    seen_ms_ago: int
    max_jobs: int
    alive: bool
    lost: bool
    fit: bool = True
    cordon_ms: int | None = None
    cordon_by: str = ""
    cordon_reason: str = ""
    drain_ms: int | None = None
    flavors: tuple[FlavorView, ...] = ()
    jobs: tuple[HeldJob, ...] = ()
    messages: int | None = None
    dropped: int = 0
    disk_free: int | None = None
    disk_size: int | None = None

    @computed_field  # type: ignore[prop-decorator]
    @property
    def state(self) -> HostState:
        """How it stands."""
        return host_state(
            lost=self.lost,
            alive=self.alive,
            fit=self.fit,
            cordoned=self.cordon_ms is not None,
            drained=self.drain_ms is not None,
            busy=bool(self.jobs),
        )

    @property
    def version(self) -> str:
        """Of aitrain: one, or that of each process where they differ."""
        if self.agent_version == self.worker_version:
            return self.agent_version
        return f"agent {self.agent_version or '?'}, worker {self.worker_version or '?'}"

    @property
    def room(self) -> int:
        """How many more jobs it may hold."""
        return max(0, self.max_jobs - len(self.jobs))

    def unit(self, asked: str) -> UnitView | None:
        """A unit by its id or FLAVOR/ID; None if there is none, or several."""
        found = [
            unit for flavor in self.flavors for unit in flavor.units if asked in (unit.id, f"{flavor.flavor}/{unit.id}")
        ]
        return found[0] if len(found) == 1 else None


class Owner(StrEnum):
    """Who is to read a queue."""

    HOST = "host"
    REMOVED = "removed host"
    CONTROL = "control workers"
    NOBODY = "nobody"


class QueueView(_View):
    """A queue of the broker. messages: that wait in it; owner: who is to read it, host: its name.

    workers: those that read it now, None if they were not asked; state: of the host; dropped: messages that were
    dropped from it because its host was lost or removed; alarm: what is wrong with it, "" if nothing is.
    """

    name: str
    messages: int
    owner: Owner
    host: str = ""
    state: HostState | None = None
    workers: tuple[str, ...] | None = None
    dropped: int = 0

    @computed_field  # type: ignore[prop-decorator]
    @property
    def alarm(self) -> str:
        """What is wrong with it, for people."""
        if self.owner is Owner.NOBODY and self.messages:
            return "something was sent without a queue: that is a defect of aitrain"
        if self.owner in (Owner.CONTROL, Owner.HOST) and self.workers == () and self.messages:
            return "no worker reads it"
        return ""
