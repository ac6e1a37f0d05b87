"""What a fault explains: an attempt that is tried again, an end in ERROR, files that stay on a host. Pure.

A drill is strict where the design promises something, and follows it where it promises nothing: of a job whose host is
given up while it is being stopped there, nobody can say how it ended, so it ends ERROR and its results stay where they
are.
"""

from __future__ import annotations

from collections.abc import Sequence

from aitrain import Job, JobState
from aitrain.domain.job import AttemptEnd
from aitrain.domain.states import CAUSES, EndCause
from workers.drill.fates import Fate
from workers.drill.faults import Struck
from workers.drill.observation import Left

LOSING = frozenset({"host-lost", "host-silent"})
# A cause that only some faults bring about; the other causes of the platform have many.
BROUGHT_BY = {
    EndCause.ENGINE_RESTARTED: frozenset({"engine-restarted", "engine-killed"}),
    EndCause.HOST_LOST: LOSING,
    EndCause.HOST_CUT_OFF: LOSING | {"host-cut", "redis-killed", "redis-frozen"},
}
# A sweep looks a while after a host has come back, and events of an engine come late.
AFTERWARDS_MS = 5000


def may_run_again(job: Job, end: AttemptEnd | None, fate: Fate, struck: Sequence[Struck]) -> bool:
    """Whether an attempt that ended so may be followed by another."""
    if end is None or end.cause is None:
        return False
    if end.cause is EndCause.TIMED_OUT:
        return fate.auto_restart
    if end.cause is EndCause.EXIT_CODE:
        return end.exit_code in fate.retried
    kinds = BROUGHT_BY.get(end.cause)
    return CAUSES[end.cause].platform and (kinds is None or _met(job, end, kinds, struck))


def code_is_the_engines(job: Job, struck: Sequence[Struck]) -> bool:
    """Whether a container's exit code is whatever its engine made of it: it was stopped when the engine went down.

    (An engine that is killed in the middle of a stop tells 0 later.)
    """
    engine = BROUGHT_BY[EndCause.ENGINE_RESTARTED]
    end = AttemptEnd(attempt=job.attempt, host=job.host)
    return job.end_cause in (EndCause.STOPPED, EndCause.TIMED_OUT) and _met(job, end, engine, struck)


def lost_while_stopping(job: Job, struck: Sequence[Struck]) -> bool:
    """Whether the job ended ERROR because its host was given up while it was being stopped there."""
    return (
        job.state is JobState.ERROR
        and job.end_cause in (EndCause.STOPPED, EndCause.TIMED_OUT)
        and any(
            fault.kind in LOSING
            and fault.host == job.host
            and fault.began_ms <= job.state_ms <= fault.ended_ms + AFTERWARDS_MS
            for fault in struck
        )
    )


def kept_on_host(job: Job | None, left: Left, struck: Sequence[Struck]) -> bool:
    """Whether files are there by design: what a lost host never pushed of a job that is not DONE without it."""
    if job is None or job.state is JobState.DONE:
        return False
    if left.fence == job.fence:
        return lost_while_stopping(job, struck)
    attempt = int(left.fence.partition(".")[0])
    return any(
        end.attempt == attempt and end.cause is EndCause.HOST_LOST and end.started_ms is not None
        for end in job.earlier_attempts
    )


def _met(job: Job, end: AttemptEnd, kinds: frozenset[str], struck: Sequence[Struck]) -> bool:
    """Whether a fault of one of the kinds struck the host of an attempt (or all of them) during its life."""
    over_ms = next((move.at_ms for move in job.history if move.attempt > end.attempt), job.state_ms)
    began_ms = next((move.at_ms for move in job.history if move.attempt == end.attempt), job.created_ms)
    return any(
        fault.kind in kinds
        and fault.host in ("", end.host)
        and fault.began_ms <= over_ms
        and fault.ended_ms + AFTERWARDS_MS >= began_ms
        for fault in struck
    )
