"""Whether a job was billed what it ran, by the engine's own times. Pure.

Of an attempt whose end the store was told, exactly the minutes that had begun between its container's start and end. Of
one whose end nobody told (its host was cut off, its container vanished) at most those, and at least one if the store
knew that it ran. Of one that never ran, and of one that was stopped before the store knew, none.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from aitrain import Job, JobState
from workers.drill.observation import Billed
from workers.drill.witness import Ran

MINUTE_MS = 60_000
# The store keeps the engine's times to the millisecond; an event comes some time after what it tells.
EXACT_MS, BY_EVENT_MS = 2, 2000
# Minutes begin by the store's clock, from when it heard that the container runs: so long a call may be on its way.
HEARD_MS = 30_000


def minutes_of(job: Job, runs: Sequence[Ran], rows: Sequence[Billed]) -> Iterator[tuple[str, str]]:
    """What is wrong with a job's bill: what was expected, and what was seen."""
    known = _told(job)
    for attempt in sorted({ran.attempt for ran in runs if ran.starts} | {row.attempt for row in rows}):
        of_attempt = sorted((row for row in rows if row.attempt == attempt), key=lambda row: row.minute)
        started = [ran for ran in runs if ran.attempt == attempt and ran.starts]
        name = f"attempt {attempt}"
        if not started:
            yield f"no minute for {name}, which never ran", _listed(of_attempt)
            continue
        # More than one container of an attempt is another column's; the last one is what the store knows of.
        ran = max(started, key=lambda ran: ran.starts[-1])
        yield from _bill(job, name, ran, of_attempt, finished=known.get(attempt, (None, None))[1])
        yield from _times(name, ran, *known.get(attempt, (None, None)))


def _bill(job: Job, name: str, ran: Ran, rows: list[Billed], *, finished: int | None) -> Iterator[tuple[str, str]]:
    # An engine may tell the end of a very short run before its start.
    elapsed_ms = max(0, ran.until_ms - ran.starts[-1])
    reached = any(move.state is JobState.RUNNING and move.attempt == ran.attempt for move in job.history)
    most = max(1, -(-elapsed_ms // MINUTE_MS)) if reached else 0
    least = most if finished is not None else int(reached)
    count = len(rows)
    if [row.minute for row in rows] != list(range(count)) or not least <= count <= most:
        wanted = str(most) if least == most else f"{least} to {most}"
        yield f"{wanted} minutes for {name}, which ran {elapsed_ms / 1000:.1f} s", _listed(rows)
    for row in rows:
        off_ms = row.begins_ms - (ran.starts[-1] + row.minute * MINUTE_MS)
        if abs(off_ms) > HEARD_MS:
            yield f"minute {row.minute} of {name}, counted from the engine's start", f"{off_ms} ms off"
        if row.units != job.units:
            yield f"{job.units} units in each minute", f"{row.units}"


def _times(name: str, ran: Ran, started: int | None, finished: int | None) -> Iterator[tuple[str, str]]:
    pairs = (("start", ran.starts[-1], started), ("end", ran.finished_ms, finished))
    for what, by_engine, by_store in pairs:
        if by_engine is not None and by_store is not None and abs(by_engine - by_store) > _tolerance(ran):
            yield f"the engine's time of the {what} of {name}", f"{by_store - by_engine} ms off"


def _told(job: Job) -> dict[int, tuple[int | None, int | None]]:
    """When each attempt started and finished, as the store was told."""
    ends = {end.attempt: (end.started_ms, end.finished_ms) for end in job.earlier_attempts}
    return {**ends, job.attempt: (job.started_ms, job.finished_ms)}


def _tolerance(ran: Ran) -> int:
    return EXACT_MS if ran.exact else BY_EVENT_MS


def _listed(rows: Sequence[Billed]) -> str:
    return f"minutes {[row.minute for row in rows]}"
