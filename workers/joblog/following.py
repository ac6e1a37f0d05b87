"""Takes what a container writes from the engine into its spool, from where the spool stands."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator

from aitrain.domain.logs import NOTICE, raw_line
from workers.joblog.spool import Spool
from workers.runtime import Container, Engine

# The engine takes the times of stdout and stderr apart: a line may come after one that is a little younger.
OVERLAP_NS = 10**9
LOST = b"[aitrain: lines are missing here: the engine dropped them before they were read]"


def follow(
    engine: Engine, container: Container, spool: Spool, idle_seconds: float | None, until: Callable[[], bool]
) -> bool:
    """Reads on, and returns whether there was anything new.

    idle_seconds: ends when nothing has come for so long; None: ends at the log's present end. until: ends when it is
    true. The spool is locked by whoever calls. Raises EngineUnavailable, PlatformFault and OSError.
    """
    since, kept = spool.newest(OVERLAP_NS)
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
        known.clear()
        return False
    for _ in range(place + 1):
        known.popleft()
    return True
