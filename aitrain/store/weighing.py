"""What the keys of each kind take of a Redis' memory: weighed a few at a time, so that no scrape waits for a scan.

Every key is counted once in each round; of each kind the first ones and then one in so many are weighed. So the numbers
of keys are exact as of one round, and bytes are an estimate that is exact where a kind has few keys.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from redis import Redis

from aitrain.store.legend import LEGEND

# Keys that are looked at in one step: a quarter of a millisecond of the server's time.
SCAN_COUNT = 500
# Of a kind so many are weighed in each round, and then one in so many.
ALWAYS, ONE_IN = 20, 25
# Elements of a list, hash or set that are weighed for the whole of it.
SAMPLES = 20
BROKER, OTHER = "broker", "other"


@dataclass
class _Round:
    keys: Counter[str] = field(default_factory=Counter)
    weighed: Counter[str] = field(default_factory=Counter)
    weight: Counter[str] = field(default_factory=Counter)

    def bytes(self) -> dict[str, float]:
        return {
            kind: self.weight[kind] * count / self.weighed[kind]
            for kind, count in self.keys.items()
            if self.weighed[kind]
        }


class Scales:
    """Weighs the keys of one Redis, round after round."""

    def __init__(self, namespace: str) -> None:
        """namespace: of the site, whose kinds are told apart."""
        self._kinds = kinds(namespace)
        self._broker = f"{namespace}:"
        self._cursor = 0
        self._now, self._last = _Round(), _Round()
        self.rounds = 0

    def step(self, redis: Redis) -> None:
        """Goes on with the round. Raises RedisError."""
        found: Any = redis.scan(self._cursor, count=SCAN_COUNT)
        cursor, names = found
        to_weigh: list[tuple[str, str]] = []
        for name in names:
            kind = self.kind_of(name)
            seen = self._now.keys[kind]
            self._now.keys[kind] += 1
            if seen < ALWAYS or seen % ONE_IN == 0:
                to_weigh.append((kind, name))
        pipe = redis.pipeline(transaction=False)
        for _, name in to_weigh:
            pipe.memory_usage(name, samples=SAMPLES)
        # A key that went meanwhile weighs nothing; one that may not be looked at is answered with an error.
        for (kind, _), weight in zip(to_weigh, pipe.execute(raise_on_error=False), strict=True):
            if isinstance(weight, int):
                self._now.weighed[kind] += 1
                self._now.weight[kind] += weight
        self._cursor = int(cursor)
        if not self._cursor:
            self._last, self._now = self._now, _Round()
            self.rounds += 1

    def told(self, keys: int) -> Mapping[str, float]:
        """Bytes by kind, as of the last whole round; in the first one, what was seen, for as many as there are.

        keys: that the server has now.
        """
        if self.rounds:
            return self._last.bytes()
        seen = sum(self._now.keys.values())
        return {kind: weight * max(keys, seen) / seen for kind, weight in self._now.bytes().items()} if seen else {}

    def kind_of(self, name: str) -> str:
        """A key's name in the legend; BROKER for Celery's; OTHER for what is none of this site's."""
        found = self._kinds.fullmatch(name)
        if found is not None:
            return str(found.lastgroup)
        return BROKER if name.startswith(self._broker) else OTHER


def kinds(namespace: str) -> re.Pattern[str]:
    """Matches every key of the legend, in a group of its name there."""
    part = re.compile(r"\\{\w+\\}")
    patterns = [f"(?P<{name}>{part.sub('[^:]+', re.escape(key.pattern))})" for name, key in LEGEND.items()]
    return re.compile(re.escape("{" + namespace + "}:") + "(?:" + "|".join(patterns) + ")")
