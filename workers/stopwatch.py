"""How long containers have run. A clock that somebody sets must neither make minutes nor destroy them.

Engines tell Unix times. So when a container is first seen to run, it is noted in its workspace when it began by the
machine's own clock; from then on its age follows from that alone. The end is the engine's to tell: its two times, which
may stand on either side of a leap, are held against what the machine's own clock allows.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path

from workers import clock
from workers.clock import Instant
from workers.runtime import Container
from workers.runtime.processes import process_began_ms
from workers.workspace import Workspace

log = logging.getLogger(__name__)

# Between a container's first process and the time that the engine calls its start lies what prepares its devices.
PREPARATION_MS = 5000
# What times lose that are told in hundredths and read one after the other.
ROUNDING_MS = 50
# An end is reported within this, unless nobody was there to do it.
PROMPT_MS = 10_000


class Stopwatch:
    """Times the containers of one host."""

    def __init__(
        self,
        data_dir: Path,
        *,
        now: Callable[[], Instant] = clock.now,
        boot: Callable[[], str] = clock.boot_id,
        process_began: Callable[[Container], int | None] = process_began_ms,
    ) -> None:
        self._data_dir, self._now, self._boot, self._process_began = data_dir, now, boot, process_began

    def now(self) -> Instant:
        """This moment."""
        return self._now()

    def age_ms(self, container: Container, at: Instant | None = None) -> int:
        """How long before a moment, now if not given, a container that has run began."""
        at = at or self._now()
        began = self._noted(container)
        if began is None:
            began = self._first_look(container, at)
            if container.running:
                self._note(container, began)
        return max(0, at.own - began)

    def ran_ms(self, container: Container, seen_ms: int) -> int | None:
        """How long a container ran that has ended; None: no longer than it was seen to is known.

        seen_ms: that it was seen to run.
        """
        engine_ms = (container.finished_ms or 0) - (container.started_ms or 0)
        at, began = self._now(), self._noted(container)
        if began is None:
            # An engine that finds it dead when the machine is up again takes that for the time of its end.
            lost = self._noted_before(container) and (container.finished_ms or 0) > at.unix - at.own
            return None if lost else engine_ms
        leap_ms = at.unix - (container.started_ms or 0) - (at.own - began)
        return run_ms(engine_ms, leap_ms, seen_ms, at.own - began)

    def _first_look(self, container: Container, at: Instant) -> int:
        # It may have started a little after that moment; a start that lies further ahead is told by a clock that leapt.
        by_engine = at.own - (at.unix - (container.started_ms or at.unix))
        by_engine = max(0, min(by_engine, at.own + PREPARATION_MS))
        by_kernel = self._process_began(container)
        if by_kernel is None or by_kernel - ROUNDING_MS <= by_engine <= by_kernel + PREPARATION_MS:
            return by_engine
        return by_kernel

    def _workspace(self, container: Container) -> Workspace:
        return Workspace(self._data_dir, container.job_id, container.fence)

    def _noted(self, container: Container) -> int | None:
        boot, _, began = self._workspace(container).began.partition(" ")
        return int(began) if boot == self._boot() and began.isdigit() else None

    def _noted_before(self, container: Container) -> bool:
        """In an earlier life of this machine."""
        return self._workspace(container).began != "" and self._noted(container) is None

    def _note(self, container: Container, began: int) -> None:
        try:
            self._workspace(container).note_began(f"{self._boot()} {began}")
        except OSError as error:
            # The next look takes the engine's word again.
            log.warning("job %s: when its container began could not be noted: %s", container.job_id, error)


def run_ms(engine_ms: int, leap_ms: int, seen_ms: int, since_ms: int) -> int:
    """How long a container ran.

    engine_ms: by the engine's two times; leap_ms: by how much the clock that they were read from has leapt since the
    container began; seen_ms: how long it was seen to run; since_ms: how long ago it began. The leap came before the end
    or after it: what does not lie between the two bounds cannot be. If both can be, it came before an end that is
    reported at once; else the shorter run stands.
    """
    before, after = engine_ms - leap_ms, engine_ms
    able = [ran for ran in (before, after) if seen_ms - ROUNDING_MS <= ran <= since_ms + ROUNDING_MS]
    if not able:
        return min(max(before, seen_ms), since_ms)
    return before if before in able and since_ms - before <= PROMPT_MS else min(able)
