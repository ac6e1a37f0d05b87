"""The site's queues in its broker, as somebody sees them who knows Redis and nothing of aitrain's own code."""

from __future__ import annotations

import json
from typing import Any

from redis import Redis

from aitrain.broker import CONTROL_QUEUE, UNROUTED_QUEUE, host_queue
from aitrain.domain.flavor import Kind
from workers.drill.faults import HOSTS

ANSWER_SECONDS = 2.0
FLAVORS_ON_HOSTS = ((Kind.CPU, "cpu"), (Kind.GPU, "v100s"))


class Queues:
    """Messages that wait, and those that a consumer took and did not acknowledge. Raises redis's own errors."""

    def __init__(self, url: str, namespace: str) -> None:
        self._redis: Any = Redis.from_url(url, decode_responses=True, socket_timeout=ANSWER_SECONDS)
        hosts = [host_queue(kind, flavor, host) for kind, flavor in FLAVORS_ON_HOSTS for host in HOSTS]
        self.names = [f"{namespace}:{queue}" for queue in (*hosts, CONTROL_QUEUE, UNROUTED_QUEUE)]
        self._namespace = namespace
        # Each worker has its own (workers/unacknowledged.py).
        self._owners = ["control", *(f"host.{host}" for host in HOSTS)]

    def left(self) -> dict[str, int]:
        """How many messages there are, by queue, where there are any."""
        lengths = {name: int(self._redis.llen(name)) for name in self.names}
        for name in map(self._unacknowledged, self._owners):
            lengths[name] = int(self._redis.hlen(name))
        return {name: length for name, length in lengths.items() if length}

    def take(self, seconds: float) -> tuple[str, str] | None:
        """The next message of any queue, with its queue's name, before a worker gets it; None if none came."""
        taken = self._redis.brpop(self.names, timeout=seconds)
        return None if taken is None else (taken[0], taken[1])

    def put(self, queue: str, message: str) -> None:
        """Puts a message in."""
        self._redis.lpush(queue, message)

    def hand_out_again(self) -> int:
        """Puts back what consumers took and did not acknowledge, as the broker does after its visibility timeout.

        Returns how many messages that were.
        """
        count = 0
        for owner in self._owners:
            name = self._unacknowledged(owner)
            for tag, text in self._redis.hgetall(name).items():
                message, _, queue = json.loads(text)
                self.put(f"{self._namespace}:{queue}", json.dumps(message))
                self._redis.hdel(name, tag)
                self._redis.zrem(f"{self._namespace}:unacked_index.{owner}", tag)
                count += 1
        return count

    def _unacknowledged(self, owner: str) -> str:
        return f"{self._namespace}:unacked.{owner}"

    def empty(self) -> None:
        """Throws away whatever waits."""
        self._redis.delete(*self.names)

    def close(self) -> None:
        """Closes its connections."""
        self._redis.close()
