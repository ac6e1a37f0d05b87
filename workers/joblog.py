"""Keeps what containers write: while they run by the agent, the rest by sync_out. Both go on where the log stands."""

from __future__ import annotations

import time
from datetime import datetime

from aitrain.store import LogLine, Store
from workers.runtime import Container, Engine

# The engine reads stdout and stderr apart, so a line may come after one that is a little younger. Lines of this age
# have all come, and are kept in the order of their times.
SETTLE_NS = 200_000_000


def keep_log(engine: Engine, store: Store, container: Container, max_bytes: int) -> None:
    """Reads what a container wrote since the log's cursor, and appends it.

    The cursor is the time of the last line kept and how many lines of exactly that time are. Where two read at once,
    the store takes the first one's lines; the other reads on from where the log then stands.
    """
    cursor = store.log_cursor(container.job_id)
    while True:
        time_ns, known = _parse(cursor)
        lines = sorted((_line(raw) for raw in engine.log(container, time_ns)), key=lambda line: _time_ns(line.at))
        new = _after(_settled(lines) if container.running else lines, time_ns, known)
        if not new:
            return
        stands, full = store.append_log(
            container.job_id, container.fence, cursor=cursor, next_cursor=_cursor(new, time_ns, known), lines=new,
            max_bytes=max_bytes,
        )  # fmt: skip
        if full or stands == cursor:
            return
        cursor = stands


def _line(raw: str) -> LogLine:
    at, _, text = raw.partition(" ")
    return LogLine(at, text.rstrip("\r"))


def _time_ns(at: str) -> int:
    seconds, _, fraction = at.rstrip("Z").partition(".")
    return int(datetime.fromisoformat(seconds + "+00:00").timestamp()) * 10**9 + int(fraction.ljust(9, "0") or 0)


def _settled(lines: list[LogLine]) -> list[LogLine]:
    limit = time.time_ns() - SETTLE_NS
    return [line for line in lines if _time_ns(line.at) < limit]


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
