"""Listens to the hosts' heartbeats in Redis: for how long was a host silent, whatever the reason?

Faults do not tell: an agent that is killed may take longer to come back than its host's grace.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from redis import Redis
from redis.exceptions import RedisError

from aitrain.store.keys import Keys

LOOK_SECONDS = 0.2
ANSWER_SECONDS = 1.0
# Shorter gaps are no news.
SILENCE_MS = 2000


@dataclass(frozen=True)
class Silence:
    """A time without heartbeats of a host, by the store's clock. Unix ms."""

    host: str
    began_ms: int
    ended_ms: int

    @property
    def lasted_ms(self) -> int:
        """How long it was."""
        return self.ended_ms - self.began_ms


class Heartbeats:
    """Notes the silences of every host."""

    def __init__(self, redis_url: str, namespace: str, lease_seconds: float) -> None:
        """lease_seconds: what a heartbeat adds to the time, as the site's settings say."""
        self._redis: Any = Redis.from_url(redis_url, decode_responses=True, socket_timeout=ANSWER_SECONDS)
        self._key = Keys(namespace)("hosts")
        self._lease_ms = int(lease_seconds * 1000)
        self._last: dict[str, int] = {}
        self._silences: list[Silence] = []
        self._over = threading.Event()

    def start(self) -> None:
        """Begins to listen."""
        threading.Thread(target=self._listen, name="heartbeats", daemon=True).start()

    def stop(self) -> None:
        """Listens no more."""
        self._over.set()

    def silences(self) -> Sequence[Silence]:
        """Those that are over, and those that last."""
        now = int(time.time() * 1000)
        lasting = [Silence(host, at_ms, now) for host, at_ms in self._last.items() if now - at_ms > SILENCE_MS]
        return [*self._silences, *lasting]

    def _listen(self) -> None:
        while not self._over.wait(LOOK_SECONDS):
            with suppress(RedisError):
                for host, lapses_ms in self._redis.zrange(self._key, 0, -1, withscores=True):
                    self._hear(host, int(lapses_ms) - self._lease_ms)

    def _hear(self, host: str, at_ms: int) -> None:
        last = self._last.get(host, at_ms)
        if at_ms - last > SILENCE_MS:
            self._silences.append(Silence(host, last, at_ms))
        self._last[host] = at_ms
