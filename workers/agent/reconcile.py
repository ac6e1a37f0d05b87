"""Reconcile: what the store wants against what the engine has, as a list of things to do. Pure.

The same code path serves the agent's start, each event of the engine, and the regular look every few seconds. TABLE
says what is done for every pair; `reconcile` looks it up and decides nothing of its own.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from enum import StrEnum

from aitrain.domain.states import State
from aitrain.store import HostJob
from workers.runtime import Container


class Found(StrEnum):
    """What the engine has of an attempt."""

    NOTHING = "removed, or never there"
    CREATED = "created, not started"
    RUNNING = "running"
    EXITED = "exited"


class Stranger(StrEnum):
    """Whose a container with this host's labels is, if it is of no attempt that is wanted here."""

    OTHER_ATTEMPT = "another attempt's of a job of this host"
    OTHER_JOB = "of a job that has ended, or is elsewhere"
    UNKNOWN = "of a job that the store does not know"


class Do(StrEnum):
    """What is done. Each may be done twice without harm."""

    NOTHING = "leave it: a step is at work, or its message is sent again when it is due"
    WATCH = "note how long it has run, keep its log"
    ADOPT = "it runs, and whoever started it did not say so: the job is RUNNING"
    REPORT_EXIT = "the job goes to FINALIZING with the engine's times and exit code"
    REPORT_LOST = "the job ran and its container is gone: what it left in its volumes is pushed"
    STOP = "SIGTERM, the grace period, SIGKILL"
    NOTHING_RAN = "the job was stopped before anything of it ran: it is INTERRUPTED, or QUEUED again if it was evicted"
    REMOVE = "remove it, killing it if it runs"
    ORPHAN = "stop it after a while: the store may have been put back from a backup by mistake"


@dataclass(frozen=True)
class Cell:
    """What is done while a worker holds the lease on the job's step, and what while none does."""

    at_work: Do
    silent: Do


def _both(do: Do) -> Cell:
    return Cell(do, do)


_LEAVE, _LOST, _EXIT, _STOP = _both(Do.NOTHING), _both(Do.REPORT_LOST), _both(Do.REPORT_EXIT), _both(Do.STOP)
# A step that is told to stop may still start the container: until it has let go, nothing is over.
_NOTHING_RAN = Cell(Do.NOTHING, Do.NOTHING_RAN)

# For a job of this host, and the container of its current attempt.
TABLE: dict[State, dict[Found, Cell]] = {
    # A container, already? The store lost its last second in a crash, and the job was further than it says.
    State.INITIALIZING: {
        Found.NOTHING: _LEAVE,
        Found.CREATED: _LEAVE,
        Found.RUNNING: _both(Do.ADOPT),
        Found.EXITED: _EXIT,
    },
    State.PENDING: {
        Found.NOTHING: _LEAVE,
        Found.CREATED: _LEAVE,
        Found.RUNNING: Cell(Do.NOTHING, Do.ADOPT),
        Found.EXITED: _EXIT,
    },
    State.RUNNING: {
        Found.NOTHING: _LOST,
        Found.CREATED: _LOST,
        Found.RUNNING: _both(Do.WATCH),
        Found.EXITED: _EXIT,
    },
    # Of one that had not started; one that had is as in TIMEOUT (see STARTED).
    State.INTERRUPTING: {
        Found.NOTHING: _NOTHING_RAN,
        Found.CREATED: _NOTHING_RAN,
        Found.RUNNING: _STOP,
        Found.EXITED: _EXIT,
    },
    State.TIMEOUT: {
        Found.NOTHING: _LOST,
        Found.CREATED: _LOST,
        Found.RUNNING: _STOP,
        Found.EXITED: _EXIT,
    },
    State.FINALIZING: {
        Found.NOTHING: _LEAVE,
        Found.CREATED: _LEAVE,
        Found.RUNNING: _STOP,
        Found.EXITED: _LEAVE,
    },
}  # fmt: skip

# A job that is told to stop after it ran has results, like one whose timeout was reached.
STARTED = {State.INTERRUPTING: TABLE[State.TIMEOUT]}

STRANGERS: dict[Stranger, dict[Found, Do]] = {
    Stranger.OTHER_ATTEMPT: dict.fromkeys((Found.CREATED, Found.RUNNING, Found.EXITED), Do.REMOVE),
    Stranger.OTHER_JOB: dict.fromkeys((Found.CREATED, Found.RUNNING, Found.EXITED), Do.REMOVE),
    Stranger.UNKNOWN: {Found.CREATED: Do.REMOVE, Found.RUNNING: Do.ORPHAN, Found.EXITED: Do.ORPHAN},
}


@dataclass(frozen=True)
class Action:
    """One thing to do, with the job and the container that it is about."""

    do: Do
    job: HostJob | None = None
    container: Container | None = None


def reconcile(wanted: Iterable[HostJob], found: Iterable[Container], known: Collection[str] = ()) -> list[Action]:
    """What brings the host to what the store wants.

    wanted: this host's jobs; must have been read after found was listed: a container of a job that is not wanted then
    has ended for good. known: ids, among those of the containers, of jobs that the store knows; wanted ones need not be
    there.
    """
    jobs = {job.job_id: job for job in wanted}
    actions = []
    met = set()
    for container in found:
        job = jobs.get(container.job_id)
        if job is not None and job.fence == container.fence:
            met.add(job.job_id)
            actions.append(Action(_cell(job, found_as(container)), job, container))
        else:
            whose = _whose(job, container, known)
            actions.append(Action(STRANGERS[whose][found_as(container)], None, container))
    actions += [Action(_cell(job, Found.NOTHING), job) for job in jobs.values() if job.job_id not in met]
    return [action for action in actions if action.do is not Do.NOTHING]


def found_as(container: Container) -> Found:
    """What a container is to the table."""
    if container.running:
        return Found.RUNNING
    return Found.EXITED if container.exited else Found.CREATED


def _cell(job: HostJob, found: Found) -> Do:
    row = STARTED.get(job.state, TABLE[job.state]) if job.started else TABLE[job.state]
    cell = row[found]
    return cell.at_work if job.lease_live else cell.silent


def _whose(job: HostJob | None, container: Container, known: Collection[str]) -> Stranger:
    if job is not None:
        return Stranger.OTHER_ATTEMPT
    return Stranger.OTHER_JOB if container.job_id in known else Stranger.UNKNOWN
