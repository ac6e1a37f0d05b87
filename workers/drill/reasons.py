"""What explains an attempt that is tried again, an end in ERROR, files that stay on a host. Pure.

A drill is strict where the design promises something, and follows it where it promises nothing: of a job whose host is
given up while it is being stopped there, nobody can say how it ended, so it ends ERROR and its results stay where they
are.
"""

from __future__ import annotations

from collections.abc import Sequence

from aitrain import Job, JobState
from aitrain.domain.job import AttemptEnd
from aitrain.domain.states import EndCause, InfoCode
from workers.drill.fates import Fate
from workers.drill.faults import DRAINS, Struck
from workers.drill.heartbeats import Silence
from workers.drill.observation import Left, Observation
from workers.drill.site import GRACE_SECONDS, LOST_AFTER_SECONDS

# Faults that bring a cause about. No fault brings about the other causes of the platform.
BROUGHT_BY = {
    EndCause.ENGINE_RESTARTED: frozenset({"engine-restarted", "engine-killed"}),
    EndCause.ENGINE_FAULT: frozenset({"engine-restarted", "engine-killed", "engine-frozen"}),
    EndCause.DATA_FAULT: frozenset({"s3-killed", "s3-frozen", "disk-full"}),
    EndCause.EVICTED: DRAINS,
}
# How long a host has to be silent before its jobs may end so.
SILENT_SECONDS = {EndCause.HOST_CUT_OFF: GRACE_SECONDS, EndCause.HOST_LOST: LOST_AFTER_SECONDS}
# Heartbeats are looked at now and then, so a silence may seem to be a little shorter than it was.
HEARD_LATE_MS = 500
# A sweep looks a while after a host has come back, and events of an engine come late.
AFTERWARDS_MS = 5000


def may_run_again(job: Job, end: AttemptEnd | None, fate: Fate, seen: Observation) -> bool:
    """Whether an attempt that ended so may be followed by another."""
    if end is None or end.cause is None:
        return False
    match end.cause:
        case EndCause.TIMED_OUT:
            return fate.auto_restart
        case EndCause.EXIT_CODE:
            return end.exit_code in fate.retried
        case EndCause.HOST_CUT_OFF | EndCause.HOST_LOST:
            return _host_was_silent(job, end, end.cause, seen.silences)
    return _was_struck(job, end, end.cause, seen.struck)


def lost_while_stopping(job: Job, seen: Observation) -> bool:
    """Whether the job ended ERROR because its host was given up while it was being stopped there."""
    here = AttemptEnd(attempt=job.attempt, host=job.host)
    return (
        job.state is JobState.ERROR
        and job.end_cause in (EndCause.STOPPED, EndCause.TIMED_OUT)
        and _host_was_silent(job, here, EndCause.HOST_LOST, seen.silences)
    )


def stopped_too_late(job: Job, seen: Observation) -> bool:
    """Whether a job that was to be stopped had left its host already, and only does not run again for that."""
    here = AttemptEnd(attempt=job.attempt, host=job.host)
    return (
        job.state is JobState.INTERRUPTED
        and (job.end_cause, job.code) == (EndCause.EVICTED, InfoCode.JOB_EVICTED)
        and seen.stopped.get(job.id) is False
        and _was_struck(job, here, EndCause.EVICTED, seen.struck)
    )


def untold_evictions(job: Job, seen: Observation) -> list[AttemptEnd]:
    """Attempts that were evicted without their history saying so. A store that was killed may have forgotten it."""
    told = {move.attempt for move in job.history if move.code is InfoCode.JOB_EVICTED}
    return [
        end
        for end in job.earlier_attempts
        if end.cause is EndCause.EVICTED
        and end.attempt not in told
        and not any(fault.kind == "redis-killed" for fault in seen.struck)
    ]


def code_is_the_engines(job: Job, seen: Observation) -> bool:
    """Whether a container's exit code is whatever its engine made of it: it was stopped when the engine went down.

    (An engine that is killed in the middle of a stop tells 0 later.)
    """
    here = AttemptEnd(attempt=job.attempt, host=job.host)
    return job.end_cause in (EndCause.STOPPED, EndCause.TIMED_OUT) and _was_struck(
        job, here, EndCause.ENGINE_RESTARTED, seen.struck
    )


def kept_on_host(left: Left, seen: Observation) -> bool:
    """Whether files are there by design: what a lost host never pushed, where no later attempt ran to an end."""
    job = seen.jobs.get(left.job_id)
    if job is None:
        return False
    if left.fence == job.fence:
        return lost_while_stopping(job, seen)
    if job.started_ms is not None and job.state is not JobState.ERROR:
        return False
    attempt = int(left.fence.partition(".")[0])
    return any(
        end.attempt == attempt and end.cause is EndCause.HOST_LOST and (end.started_ms is not None or end.starting)
        for end in job.earlier_attempts
    )


def _was_struck(job: Job, end: AttemptEnd, cause: EndCause, struck: Sequence[Struck]) -> bool:
    began_ms, over_ms = _life(job, end)
    return any(
        fault.kind in BROUGHT_BY.get(cause, frozenset())
        and fault.host in ("", end.host)
        and fault.began_ms <= over_ms
        and fault.ended_ms + AFTERWARDS_MS >= began_ms
        for fault in struck
    )


def _host_was_silent(job: Job, end: AttemptEnd, cause: EndCause, silences: Sequence[Silence]) -> bool:
    began_ms, over_ms = _life(job, end)
    return any(
        silence.host == end.host
        and silence.lasted_ms + HEARD_LATE_MS >= SILENT_SECONDS[cause] * 1000
        and silence.began_ms <= over_ms
        and silence.ended_ms + AFTERWARDS_MS >= began_ms
        for silence in silences
    )


def _life(job: Job, end: AttemptEnd) -> tuple[int, int]:
    """From when to when an attempt was there, by the store's clock."""
    began_ms = next((move.at_ms for move in job.history if move.attempt == end.attempt), job.created_ms)
    over_ms = next((move.at_ms for move in job.history if move.attempt > end.attempt), job.state_ms)
    return began_ms, over_ms
