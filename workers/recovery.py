"""What becomes of a job whose host is lost."""

from __future__ import annotations

import logging

from aitrain.domain.job import Job
from aitrain.domain.retry import Again, Outcome, Pauses, outcome
from aitrain.domain.spec import OnHostLoss
from aitrain.domain.states import CAUSES, STATES, EndCause, InfoCode, State
from workers.machine import Machine

log = logging.getLogger(__name__)


def after_loss(job: Job, pauses: Pauses) -> Outcome:
    """Where a job goes whose host is lost, from where it was.

    One that had not run waits for a host again at once, whatever its limits say: nothing of it begins twice.
    """
    lost, row = f"its host {job.host} was lost", CAUSES[EndCause.HOST_LOST]
    has_run = job.started_ms is not None or job.starting
    stopped = job.state is State.INTERRUPTING and not job.evicting
    if not has_run and job.state in (State.INITIALIZING, State.PENDING, State.INTERRUPTING):
        if stopped:
            return Outcome(State.INTERRUPTED, InfoCode.JOB_INTERRUPTED, "stopped before it ran")
        return Outcome(State.QUEUED, InfoCode.JOB_QUEUED, f"{lost} before it ran; it waits again", Again.PLATFORM)
    match job.state:
        case State.TIMEOUT if job.auto_restart and not job.stop_asked:
            return outcome(job, EndCause.TIMED_OUT, pauses, message=lost)
        case State.INTERRUPTING | State.TIMEOUT if stopped or job.state is State.TIMEOUT:
            message = f"{lost} while it was stopped; its results are there, if they are anywhere"
            return Outcome(row.ends, row.code, message)
        case State.FINALIZING:
            message = f"{lost} before its results were pushed; they are there, if they are anywhere"
            return Outcome(row.ends, InfoCode.JOB_SYNC_FAILED, message)
    if job.spec.on_host_loss is OnHostLoss.FAIL:
        return Outcome(row.ends, InfoCode.JOB_EVICTED, f"{lost}, and it is not to run again after that")
    return outcome(job, EndCause.HOST_LOST, pauses, message=lost)


def recover(machine: Machine, job: Job) -> None:
    """Moves a job on whose host is lost. Does nothing if the host is back, or the job has moved."""
    if not STATES[job.state].on_host:
        return
    timing = machine.settings.timing
    to = after_loss(job, timing.pauses)
    # Nothing of a job that is FINALIZING runs, and its results are worth a wait.
    patience_s = timing.finalizing_patience_seconds if job.state is State.FINALIZING else 0
    # What a lost host could not push, it may still have when it is back.
    keep_s = machine.settings.limits.results_retention_seconds if to.code is InfoCode.JOB_SYNC_FAILED else None
    moved = machine.store.transition(
        job.id, job.fence, to.state, only_from=[job.state], code=to.code, message=to.message, cause=EndCause.HOST_LOST,
        again=to.again, pause_ms=to.pause_ms, lost_ms=int(patience_s * 1000),
        keep_ms=None if keep_s is None else 1000 * keep_s,
    )  # fmt: skip
    if moved.moved:
        log.warning("job %s goes from %s to %s: host %s was lost", job.id, job.state, to.state, job.host)
        machine.dispatcher.after(moved, to.state)
