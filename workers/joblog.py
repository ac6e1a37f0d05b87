"""Keeps what containers write: while they run by the agent, the rest by sync_out. Both go on where the log stands."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from datetime import datetime

from aitrain.store import LogLine, Store
from workers.runtime import Container, Engine

# The engine reads stdout and stderr apart, so a line may come after one that is a little younger. Lines of this age
# have all come, and are kept in the order of their times.
SETTLE_NS = 200_000_000
BATCH_LINES = 2000
STAMP = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?Z")


def keep_log(engine: Engine, store: Store, container: Container, max_bytes: int) -> None:
    """Reads what a container wrote since the log's cursor, and appends it.

    The cursor is the time of the last line kept and how many lines of exactly that time are. Where two read at once,
    the store takes the first one's lines; the other reads on from where the log then stands.
    """
    cursor, full = store.log_cursor(container.job_id)
    while not full:
        time_ns, known = _parse(cursor)
        lines = _lines(engine.log(container, time_ns))
        new = _after(_settled(lines) if container.running else lines, time_ns, known)
        if not new:
            return
        for batch in _batches(new):
            target = _cursor(batch, *_parse(cursor))
            cursor, full = store.append_log(
                container.job_id, container.fence, cursor=cursor, next_cursor=target, lines=batch, max_bytes=max_bytes
            )
            if full or cursor != target:
                break
        else:
            return


def _lines(raw_lines: list[str]) -> list[LogLine]:
    """In the order of their times. What comes without one (the engine's own complaints) gets its neighbour's."""
    lines: list[LogLine] = []
    at = "1970-01-01T00:00:00Z"
    for raw in raw_lines:
        stamp, _, text = raw.partition(" ")
        if STAMP.fullmatch(stamp):
            at = stamp
        else:
            text = raw
        lines.append(LogLine(at, text.rstrip("\r")))
    return sorted(lines, key=lambda line: _time_ns(line.at))


def _batches(lines: list[LogLine]) -> Iterator[list[LogLine]]:
    """Parts that one call to the store carries, so that a chatty job does not hold up the others' calls."""
    for start in range(0, len(lines), BATCH_LINES):
        yield lines[start : start + BATCH_LINES]


def _settled(lines: list[LogLine]) -> list[LogLine]:
    limit = time.time_ns() - SETTLE_NS
    return [line for line in lines if _time_ns(line.at) < limit]


def _time_ns(at: str) -> int:
    seconds, _, fraction = at.rstrip("Z").partition(".")
    return int(datetime.fromisoformat(seconds + "+00:00").timestamp()) * 10**9 + int(fraction.ljust(9, "0") or 0)


def _parse(cursor: str) -> tuple[int, int]:
    time_ns, _, known = cursor.partition(":")
    return int(time_ns or 0), int(known or 0)


def _after(lines: list[LogLine], time_ns: int, known: int) -> list[LogLine]:
    same = [line for line in lines if _time_ns(line.at) == time_ns]
    return same[known:] + [line for line in lines if _time_ns(line.at) > time_ns]


def _cursor(new: list[LogLine], time_ns: int, known: int) -> str:
    last = _time_ns(new[-1].at)
    count = sum(1 for line in new if _time_ns(line.at) == last)
    return f"{last}:{count + (known if last == time_ns else 0)}"
