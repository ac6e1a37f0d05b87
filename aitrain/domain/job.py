"""A job as it stands in the store, for those who read it."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from enum import StrEnum

from pydantic import BaseModel, ConfigDict, Field, InstanceOf

from aitrain.domain.billing import Policy
from aitrain.domain.egress import Egress
from aitrain.domain.flavor import Kind
from aitrain.domain.spec import JobSpec
from aitrain.domain.states import ENDED, EndCause, InfoCode, State


def moment(ms: int) -> datetime:
    """Unix time in milliseconds as an aware datetime, UTC."""
    return datetime.fromtimestamp(ms / 1000, UTC)


class HistoryEntry(BaseModel):
    """One move of a job: when (Unix ms, the store's clock), to which state, in which attempt, and why."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    at_ms: int
    state: State
    attempt: int
    code: InfoCode
    message: str = ""

    @property
    def at(self) -> datetime:
        """When, as a datetime."""
        return moment(self.at_ms)


class Direction(StrEnum):
    """Which way a volume is copied: to the host, or back to its data store."""

    PULL = "pull"
    PUSH = "push"


class VolumeProgress(BaseModel):
    """How far the copy of one volume is.

    direction: of the copy; total: files it has to do with; processed of them so far: completed (copied), skipped
    (nothing had to be done, or not a file that is copied) or failed; deleted: objects; withheld: objects that were not
    deleted because the host may have lost files of the job; bytes: copied so far, of bytes_total; cached, cached_bytes:
    of the completed, what came from the host's cache instead of the data store; commit: of a git volume, the one that
    was fetched.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    direction: Direction = Direction.PULL
    total: int = 0
    processed: int = 0
    completed: int = 0
    skipped: int = 0
    failed: int = 0
    deleted: int = 0
    withheld: int = 0
    bytes: int = 0
    bytes_total: int = 0
    cached: int = 0
    cached_bytes: int = 0
    commit: str = ""


class AttemptEnd(BaseModel):
    """How an earlier attempt of the job ended, and why. minutes: in the ledger; the others: as in Job."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    attempt: int
    cause: EndCause | None = None
    message: str = ""
    exit_code: int | None = None
    host: str = ""
    started_ms: int | None = None
    finished_ms: int | None = None
    minutes: int = 0
    policy: Policy = Policy.RUNNING
    begun_ms: int | None = None
    ran_ms: int = 0
    starting: bool = False


class Job(BaseModel):
    """One workload unit: its spec, its state, its history.

    fence: the attempt's number and random token, compared on every write made for the run; units: flavor units;
    priority: 0 to 100; kept_host: the host that is kept for it while it waits; held: what keeps it out of the count
    and out of its line while it is QUEUED, "quota" or "budget", "" if nothing does; unit_ids: the exact ones reserved;
    hourly_price: of a unit at submission; *_ms: Unix time in ms, started and finished by the engine's clock, the
    others by the store's; policy: of billing, for this attempt; begun_ms: when its container began, None if the job
    did not reach RUNNING; ran_ms: running time that was seen to have passed, by the host's clock; billed_minutes: of
    this attempt in the ledger; exit_code: of the container, None if it never ran; timeout_s: seconds of RUNNING, 0 for
    none; deadline_ms: when that is reached; stop_asked: somebody ordered it to stop, so it is not queued again;
    not_before_ms: a retry waits until then; platform_tries, own_tries: retries made of faults of the platform and of
    its own; evictions: how often it was moved off a host that was drained; evicting: that is under way; push_tries: how
    often the push of its results was put off; note: what it waits for; starting: its container may have been started;
    kept_until_ms: its results could not be pushed, and are kept on its host until then, 0 for ever; push_asked:
    somebody ordered to push them again, so it does not run again by itself; copying: which way its data is being copied
    by an order while it runs; image_id, image_digest: of the image that its container was made of, the engine's id and
    the one that its registry knows it by, "" if that did not come from one; unknown: what a newer version wrote in its
    spec and this one does not know; egress: what its container may reach, None before it has started.
    """

    model_config = ConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True)

    id: str
    spec: InstanceOf[JobSpec]  # checked when it was made
    state: State
    attempt: int
    fence: str = Field(repr=False)
    flavor: str
    kind: Kind
    units: int
    priority: int = 50
    kept_host: str = ""
    held: str = ""
    hourly_price: Decimal
    timeout_s: int
    auto_restart: bool
    labels: dict[str, str] = Field(default_factory=dict)
    platform_retries: int = 0
    platform_tries: int = 0
    own_tries: int = 0
    evictions: int = 0
    push_tries: int = 0
    note: str = ""
    stop_asked: bool = False
    evicting: bool = False
    starting: bool = False
    kept_until_ms: int | None = None
    push_asked: bool = False
    copying: Direction | None = None
    not_before_ms: int | None = None
    deadline_ms: int | None = None
    created_ms: int
    state_ms: int
    code: InfoCode
    message: str = ""
    end_cause: EndCause | None = None
    exit_code: int | None = None
    out_of_memory: bool = False
    host: str = ""
    unit_ids: tuple[str, ...] = ()
    started_ms: int | None = None
    finished_ms: int | None = None
    policy: Policy = Policy.RUNNING
    begun_ms: int | None = None
    ran_ms: int = 0
    billed_minutes: int = 0
    image_id: str = ""
    image_digest: str = ""
    egress: Egress | None = None
    progress: dict[str, VolumeProgress] = Field(default_factory=dict)
    history: tuple[HistoryEntry, ...] = ()
    earlier_attempts: tuple[AttemptEnd, ...] = ()
    unknown: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """The name in the spec."""
        return self.spec.name

    @property
    def project(self) -> str:
        """The project in the spec."""
        return self.spec.project

    @property
    def ended(self) -> bool:
        """Nothing more happens to it unless it is started again."""
        return self.state in ENDED
