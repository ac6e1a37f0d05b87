"""A worker sends itself a message now and then: taking it proves what an answer to a ping does not.

A worker whose connection to its queues hangs still answers pings, which come another way.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence

from aitrain.broker import Broker
from aitrain.domain.errors import BrokerUnavailable
from aitrain.domain.health import Role
from aitrain.settings import Timing
from aitrain.store import Store
from workers import clock
from workers.watch import Look, Watch

# So many in a row did not come back, before a worker is taken for stuck.
MISSED = 3


class CanaryWatch(Watch):
    """Watches a worker, of a host or of control."""

    def __init__(
        self, store: Store, timing: Timing, role: Role, name: str, *, broker: Broker, queues: Sequence[str], slots: int
    ) -> None:
        """queues: that it reads; slots: messages that it works on at once."""
        super().__init__(store, timing, role, name)
        self._broker, self._queues, self._slots = broker, list(queues), slots
        self._lock = threading.Lock()
        self._at_work = 0
        # As if it had taken one at its start, which is told to nobody.
        self._taken_at = self._told_at = clock.elapsed()
        self._has_taken = False
        self._sent = 0
        self._stuck_since: float | None = None
        self._moved_at = self._taken_at

    def took(self) -> None:
        """A message is being worked on, whichever it is."""
        with self._lock:
            self._at_work += 1
            self._taken_at, self._sent, self._stuck_since = clock.elapsed(), 0, None
            self._moved_at = self._taken_at
            first, self._has_taken = not self._has_taken, True
        if first:
            self.look_now()

    def finished(self) -> None:
        """The work on one is over."""
        with self._lock:
            self._at_work -= 1
            self._moved_at = clock.elapsed()

    def look(self) -> Look:
        """Sends a canary, and sees what became of those before."""
        with self._lock:
            at_work, sent, now = self._at_work, self._sent, clock.elapsed()
            if at_work >= self._slots:
                # It takes nothing because it is at work with all it has. What a host works on has leases that lapse.
                full_s = now - self._moved_at
                if self._role is Role.CONTROL and full_s > self.timing.stuck_patience_seconds:
                    return Look(end=f"none of the {at_work} works that fill it has ended for {full_s:.0f} s")
                self._taken_at, self._sent = now, 0
            taken_at = self._taken_at
        silent_s = now - taken_at
        late = silent_s > self.timing.canary_stale_seconds
        try:
            self._broker.send_canary(self._queues[0], self.timing.canary_stale_seconds)
        except BrokerUnavailable as error:
            # Celery connects again by itself, and a new start would not find the broker either.
            return Look(self._is_news(taken_at), f"{error}" if late else "")
        self._queues.append(self._queues.pop(0))
        with self._lock:
            self._sent += 1
        if not late or sent < MISSED:
            return Look(self._is_news(taken_at))
        return self._stuck(silent_s, at_work, now)

    def _is_news(self, taken_at: float) -> bool:
        news = taken_at > self._told_at
        self._told_at = taken_at
        return news

    def _stuck(self, silent_s: float, at_work: int, now: float) -> Look:
        why = f"the broker takes its messages, but none has come back for {silent_s:.0f} s"
        self._stuck_since = self._stuck_since or now
        if at_work and now - self._stuck_since < self.timing.stuck_patience_seconds:
            return Look(trouble=f"{why}; it ends when its {at_work} steps at work have ended")
        return Look(end=why)
