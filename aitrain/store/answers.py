"""What the store is asked with, and what it answers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

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
class LogLine:
    """One line that a container wrote. at: RFC 3339 time by the engine's clock, in nanoseconds."""

    at: str
    text: str


@dataclass(frozen=True)
class HostJob:
    """What a host's agent needs to know of one of its jobs.

    started: its container has run; lease_live: a worker is at its step;
    resend: its step went silent and its message is to be sent again.
    """

    job_id: str
    fence: str
    kind: Kind
    flavor: str
    state: State
    started: bool
    lease_live: bool
    resend: bool


def to_host_job(row: list[Any]) -> HostJob:
    """From the rows of heartbeat.lua and host_jobs.lua."""
    return HostJob(row[0], row[1], Kind(row[2]), row[3], State(row[4]), row[5], row[6], row[7])
