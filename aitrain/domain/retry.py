"""What follows when an attempt ends: the job's end, or another attempt after a pause. A pure rule.

The user's faults and the platform's are told apart: a lost host or an outage is tried again by itself, up to the job's
limit; what is moved off a host that is drained, without one; a command that fails only if its spec says so. Pauses
grow, so that an outage is not met by a storm.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from aitrain.domain.job import Job
from aitrain.domain.states import CAUSES, EndCause, InfoCode, State

# Doubling stops here; the longest pause bounds it long before.
MOST_DOUBLINGS = 30


class Again(StrEnum):
    """Why a job runs again. The value names the counter of the job that it raises; a restart begins all anew."""

    RESTART = "restart"
    PLATFORM = "platform_tries"
    OWN = "own_tries"
    EVICTED = "evictions"


@dataclass(frozen=True)
class Pauses:
    """Between tries, in seconds: the first, and the longest that doubling leads to; restart_s: auto-restarts do not
    follow each other faster.
    """

    first_s: float
    longest_s: float
    restart_s: float = 0

    def after(self, tries: int) -> float:
        """Seconds to wait after so many tries that were made before."""
        return min(self.longest_s, self.first_s * 2.0 ** min(tries, MOST_DOUBLINGS))


@dataclass(frozen=True)
class Outcome:
    """Where an ended attempt leads. state QUEUED: again, after pause_s seconds; else the job's end."""

    state: State
    code: InfoCode
    message: str
    again: Again | None = None
    pause_s: float = 0

    @property
    def pause_ms(self) -> int:
        """The pause in milliseconds."""
        return round(self.pause_s * 1000)


def outcome(
    job: Job,
    cause: EndCause,
    pauses: Pauses,
    *,
    message: str,
    code: InfoCode | None = None,
    exit_code: int | None = None,
) -> Outcome:
    """Where an attempt of a job leads that ended by a cause.

    message, code: of the end, the cause's own code if none is given; exit_code: of the command, if it ran. A job that
    somebody ordered to stop does not run again, nor one whose results alone were ordered to be pushed again.
    """
    row = CAUSES[cause]
    end = Outcome(row.ends, code or row.code, message)
    if job.stop_asked or job.push_asked:
        return end
    if cause is EndCause.TIMED_OUT and job.auto_restart:
        pause_s = max(0.0, pauses.restart_s - job.timeout_s)
        return Outcome(State.QUEUED, InfoCode.JOB_QUEUED, f"{message}; it is started again", Again.RESTART, pause_s)
    # A drain is no fault, and counts apart. One that must not begin twice ends here instead.
    if cause is EndCause.EVICTED and job.spec.platform_retries != 0:
        return Outcome(State.QUEUED, InfoCode.JOB_QUEUED, f"{message}; it waits for a host again", Again.EVICTED)
    if row.platform:
        return _again(end, Again.PLATFORM, job.platform_tries, job.platform_retries, pauses)
    if cause in (EndCause.EXIT_CODE, EndCause.OUT_OF_MEMORY) and _worth_a_retry(job, exit_code):
        return _again(end, Again.OWN, job.own_tries, job.spec.max_retries, pauses)
    return end


def _worth_a_retry(job: Job, exit_code: int | None) -> bool:
    codes = job.spec.retry_exit_codes
    return not codes or exit_code in codes


def _again(end: Outcome, why: Again, tries: int, limit: int, pauses: Pauses) -> Outcome:
    if tries >= limit:
        given_up = f"{end.message}; given up after {tries} retries" if limit else end.message
        return Outcome(end.state, end.code, given_up)
    pause_s = pauses.after(tries)
    message = f"{end.message}; retry {tries + 1} of {limit} in {pause_s:g} s"
    return Outcome(State.QUEUED, InfoCode.JOB_QUEUED, message, why, pause_s)
