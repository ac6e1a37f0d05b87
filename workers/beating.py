"""Watches beat: whether it sends the messages of sweeps."""

from __future__ import annotations

from aitrain.broker import Broker
from aitrain.domain.errors import BrokerUnavailable
from aitrain.domain.health import Role, beat_stale_s
from aitrain.settings import Timing
from aitrain.store import Store
from workers import clock
from workers.watch import Look, Watch


class BeatWatch(Watch):
    """Told of each message that the broker took."""

    def __init__(self, store: Store, timing: Timing, name: str, broker: Broker) -> None:
        super().__init__(store, timing, Role.BEAT, name)
        self._broker = broker
        # As if it had sent one at its start, which is told to nobody.
        self._sent_at = self._told_at = clock.elapsed()
        self._has_sent = False
        self._late = 0

    def sent(self) -> None:
        """The broker took a message."""
        first, self._has_sent = not self._has_sent, True
        self._sent_at = clock.elapsed()
        if first:
            self.look_now()

    def look(self) -> Look:
        """Whether it has sent any."""
        sent_at = self._sent_at
        silent_s = clock.elapsed() - sent_at
        if silent_s <= beat_stale_s(self.timing.canary_stale_seconds, self.timing.sweep_seconds):
            news, self._told_at, self._late = sent_at > self._told_at, sent_at, 0
            return Look(news)
        try:
            self._broker.check()
        except BrokerUnavailable as error:
            self._late = 0
            return Look(trouble=str(error))
        # A process that was frozen sends as soon as it goes on: it is looked at again.
        self._late += 1
        why = f"the broker answers, but beat has sent it nothing for {silent_s:.0f} s"
        return Look(end=why) if self._late > 1 else Look(trouble=why)
