"""kombu's Redis transport with a door: what is refused there never becomes a message of Celery.

Celery and kombu trust the broker: a message of an unexpected shape ends a worker, some are put back and end the next
one, too. What is refused is said in one line and counted; nothing of it is left unacknowledged.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from queue import Empty
from typing import Any

from kombu.transport import TRANSPORT_ALIASES
from kombu.transport import redis as kombu_redis

from workers.door import Refused, admit, check_order
from workers.refusals import Refusals

# How the exchange of remote commands ends.
PIDBOX = ".pidbox"
ALIASES = {
    "redis": "workers.transport:Transport",
    "rediss": "workers.transport:Transport",
    "sentinel": "workers.transport:SentinelTransport",
}


class Door:
    """The door of this process: which queues it stands before, and what came of it."""

    def __init__(self) -> None:
        self.refusals = Refusals()
        self._queues: frozenset[str] = frozenset()
        self._tasks: Callable[[], Collection[str]] = tuple

    def stand_before(
        self, queues: Collection[str], tasks: Callable[[], Collection[str]], tell: Callable[[str, int], None]
    ) -> None:
        """queues: those that a worker reads; tasks: names that there are; tell: see Refusals.tells."""
        self._queues, self._tasks = frozenset(queues), tasks
        self.refusals.tells(tell)

    def let_in(self, message: Any, queue: str) -> Any:
        """The message as Celery is given it, None if it is refused. What is no task's passes: replies and events."""
        if queue not in self._queues:
            return message
        try:
            return admit(message, queue, self._tasks())
        except Refused as why:
            self.refusals.note(queue, str(why))
            return None


door = Door()


class _QoS(kombu_redis.QoS):
    """Messages that a worker took and did not acknowledge."""

    def restore_by_tag(self, tag: Any, client: Any = None, leftmost: bool = False) -> None:
        """Puts one back in its queue. What cannot be put back is dropped: it would be tried again for ever."""
        try:
            super().restore_by_tag(tag, client=client, leftmost=leftmost)  # type: ignore[no-untyped-call]
        except self.channel.connection_errors:
            raise
        except Exception as error:
            door.refusals.note("unacked", f"it cannot be put back ({type(error).__name__})")
            with self.channel.conn_or_acquire(client) as at:
                self._remove_from_indices(tag, at.pipeline()).execute()  # type: ignore[no-untyped-call]


class _Door(kombu_redis.Channel):
    """What both channels have before kombu's own."""

    QoS = _QoS
    connection: Any
    connection_errors: Any

    def _brpop_read(self, **options: Any) -> Any:
        return self._guarded(super()._brpop_read, **options)

    def _receive_one(self, client: Any) -> Any:
        return self._guarded(super()._receive_one, client)

    def _guarded(self, read: Callable[..., Any], *args: Any, **options: Any) -> Any:
        """kombu reads the envelope before anybody can look at it."""
        self.connection.is_delivering = False
        try:
            return read(*args, **options)
        except (Empty, *self.connection_errors):
            raise
        except Exception as error:
            if self.connection.is_delivering:
                raise
            door.refusals.note("", f"its envelope cannot be read ({type(error).__name__})")
            return True

    def _deliver_fanout_message(self, message: Any, exchange: str) -> Any:
        if exchange.endswith(PIDBOX):
            try:
                check_order(message)
            except Refused as why:
                door.refusals.note(exchange, str(why))
                return True
        return super()._deliver_fanout_message(message, exchange)  # type: ignore[no-untyped-call]


class Channel(_Door):
    """A channel with a door."""


class SentinelChannel(_Door, kombu_redis.SentinelChannel):
    """The same, by way of a Sentinel."""


class _Deliveries(kombu_redis.Transport):
    is_delivering = False

    def _deliver(self, message: Any, queue: str) -> None:
        """Gives a message to whoever consumes the queue."""
        message = door.let_in(message, queue)
        if message is not None:
            self.is_delivering = True
            super()._deliver(message, queue)  # type: ignore[no-untyped-call]


class Transport(_Deliveries):
    """The transport of redis:// and rediss://."""

    Channel = Channel


class SentinelTransport(_Deliveries, kombu_redis.SentinelTransport):
    """The transport of sentinel://."""

    Channel = SentinelChannel


def use() -> None:
    """Has kombu use this transport in this process."""
    TRANSPORT_ALIASES.update(ALIASES)
