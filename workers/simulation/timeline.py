"""Virtual time: what happens when, in order, without waiting."""

from __future__ import annotations

import heapq
from collections.abc import Callable
from itertools import count

# Every simulation begins then (2100-01-01 00:00 UTC), so that the same input gives the same report: later than any real
# clock, so that what the real parts note by this machine's own lies before all that is simulated.
BEGIN_MS = 4_102_444_800_000


class Timeline:
    """A clock that jumps from one event to the next. Events of the same moment happen in the order they were made."""

    def __init__(self) -> None:
        self.now_ms = BEGIN_MS
        self._events: list[tuple[int, int, Callable[[], None]]] = []
        self._number = count()

    def at(self, at_ms: int, event: Callable[[], None]) -> None:
        """Has an event happen at a Unix time in ms, or now if that is past."""
        heapq.heappush(self._events, (max(at_ms, self.now_ms), next(self._number), event))

    def after(self, pause_ms: int, event: Callable[[], None]) -> None:
        """Has an event happen in pause_ms."""
        self.at(self.now_ms + pause_ms, event)

    @property
    def next_ms(self) -> int | None:
        """When the next event happens; None if there is none."""
        return self._events[0][0] if self._events else None

    def step(self) -> None:
        """Goes to the next event and has it happen."""
        self.now_ms, _, event = heapq.heappop(self._events)
        event()
