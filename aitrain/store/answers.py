"""What the store is asked with, and what it answers."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from aitrain.domain.copying import DataCopy
from aitrain.domain.flavor import Kind
from aitrain.domain.job import Job
from aitrain.domain.states import State


@dataclass(frozen=True)
class Submitted:
    """The answer to a submission. job: as it was written; may_start: a host had room for it then."""

    job: Job
    may_start: bool


@dataclass(frozen=True)
class Moved:
    """The answer to a move. moved False: the caller was late; state and fence say what stands (None: no such job).

    waiting: jobs that wait for the flavor of which units may have come free.
    """

    moved: bool
    state: State | None
    fence: str | None = None
    waiting: int = 0


@dataclass(frozen=True)
class Seen:
    """A job that a host saw running. ran_ms: engine time since its start."""

    job_id: str
    fence: str
    ran_ms: int


@dataclass(frozen=True)
class Lease:
    """A step's claim on its work."""

    job_id: str
    fence: str
    state: State
    holder: str


@dataclass(frozen=True)
class CopyLease:
    """A worker's claim on an ordered copy. copy_id: of the order."""

    job_id: str
    fence: str
    copy_id: str
    holder: str


@dataclass(frozen=True)
class CopyBegun:
    """What a worker needs that takes up an ordered copy."""

    job: Job
    copy: DataCopy


@dataclass(frozen=True)
class Kept:
    """How what an attempt left on its host is kept. known: there is such a job.

    until_ms: Unix time, ms, 0 for ever, None if the job is unknown or has not ended; expired: that time is past;
    left_ms: how long it is until then, None if it is no time.
    """

    known: bool
    until_ms: int | None
    expired: bool
    left_ms: int | None = None


@dataclass(frozen=True)
class Begun:
    """The answer to a step that begins. job None: it may not; state: what stands; age_ms: for how long it has stood."""

    job: Job | None
    state: State | None
    age_ms: int


@dataclass(frozen=True)
class Ordered:
    """The answer to an order. done False: it changed nothing, and `why` says why not, in a word: "ended", "ending",
    "alive", "stopping", "unknown", "labels"; of a push that is to be tried again "alive", "nothing", "expired", "away",
    "replaced"; of a copy while the job runs "not_running", "busy"; and for what a job asks itself "late", "asked",
    "shorter", "budget".

    state: what stands then; None: there is no such job. copy: the order to copy, or the one that is open already.
    """

    done: bool
    state: State | None
    why: str | None = None
    copy: DataCopy | None = None


@dataclass(frozen=True)
class UnitCount:
    """Units of one flavor: those that hosts offer that are alive, and those of them that jobs may have now."""

    offered: int
    free: int


@dataclass(frozen=True)
class HostTiming:
    """How a host is to be judged. ttl_ms: its lease lasts so long after each word of it; lost_ms: so long after its
    last word it has stopped its containers, and is lost.
    """

    ttl_ms: int
    lost_ms: int


@dataclass(frozen=True)
class Heard:
    """The answer to a heartbeat: the host's jobs, and whether it is to run a placement pass."""

    jobs: Sequence[HostJob]
    place: bool


@dataclass(frozen=True)
class HostJob:
    """What a host's agent needs to know of one of its jobs.

    started: its container has run; starting: it may have been started; evicting: it is stopped to run elsewhere;
    lease_live: a worker is at its step; resend: its step went silent and its message is to be sent again; left_ms: of
    its timeout, None if it has none or does not run; timeout_s: 0 for none; asked_s: the timeout that the job itself
    asked for and got, 0 if none; warning_s: so long before its timeout it is warned, by a file and by warning_signal,
    if that is not empty; recopy: the id of an order to copy its data that went silent, and whose message is to be sent
    again; unit_ids: the units that it holds; project: whose it is.
    """

    job_id: str
    fence: str
    kind: Kind
    flavor: str
    state: State
    started: bool = False
    starting: bool = False
    evicting: bool = False
    lease_live: bool = False
    resend: bool = False
    left_ms: int | None = None
    timeout_s: int = 0
    asked_s: int = 0
    warning_s: int = 0
    warning_signal: str = ""
    recopy: str = ""
    unit_ids: tuple[str, ...] = ()
    project: str = ""


def to_host_job(row: dict[str, Any]) -> HostJob:
    """From the rows of heartbeat.lua and host_jobs.lua."""
    decoded = {"kind": Kind(row["kind"]), "state": State(row["state"]), "unit_ids": tuple(json.loads(row["unit_ids"]))}
    return HostJob(**{**row, **decoded})


def to_moved(answer: dict[str, Any]) -> Moved:
    """From the answer of a move."""
    state = answer.get("state")
    return Moved(bool(answer["moved"]), State(state) if state else None, answer.get("fence"), answer.get("waiting", 0))
