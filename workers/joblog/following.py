"""Takes what a container writes from the engine into its spool, from where the spool stands."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator

from aitrain.domain.logs import NOTICE, raw_line
from workers.joblog.spool import Spool
from workers.runtime import Container, Engine
from workers.runtime.loglines import LINE_BYTES, PIECE_BYTES

LOST = b"[aitrain: lines are missing here: the engine dropped them before they were read]"


def follow(
    engine: Engine, container: Container, spool: Spool, idle_seconds: float | None, until: Callable[[], bool]
) -> bool:
    """Reads on, and returns whether there was anything new.

    idle_seconds: ends when nothing has come for so long; None: ends at the log's present end. until: ends when it is
    true. The spool is locked by whoever calls. Raises EngineUnavailable, PlatformFault and OSError.
    """
    since, kept = spool.newest()
    known, began = deque(kept), spool.next
    for lines in engine.log(container, since, idle_seconds):
        if until():
            break
        spool.append(list(_unknown(lines, known)) if known else lines)
    return spool.next > began


def _unknown(lines: list[bytes], known: deque[bytes]) -> Iterator[bytes]:
    """Those that are not known. One that comes behind what is known, but is not in it, is told apart by a notice."""
    for line in lines:
        if not known:
            yield line
        elif not _passed(line, known):
            yield raw_line(line.partition(b" ")[0], NOTICE.encode(), LOST)
            yield line


def _passed(line: bytes, known: deque[bytes]) -> bool:
    """Goes on to behind this line in what is known; False, and nothing is known any more, if it is not there."""
    try:
        place = known.index(line)
    except ValueError:
        place = _last_piece(line, known)
    if place < 0:
        known.clear()
    for _ in range(place + 1):
        known.popleft()
    return place >= 0


def _last_piece(line: bytes, known: deque[bytes]) -> int:
    """Where the last piece of this one stands, -1 if nowhere: the engine has dropped the begin of a long line, and the
    first pieces that it still has are joined now.
    """
    if len(line) < LINE_BYTES:
        return -1
    head = line[: -len(line.split(b" ", 3)[3])]
    for place, one in enumerate(known):
        if len(one) > PIECE_BYTES and one.startswith(head) and line.endswith(one[len(head) :]):
            return place
    return -1
