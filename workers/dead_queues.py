"""The queues of hosts that read them no more. What waits there may go: the job store sends again what is due."""

from __future__ import annotations

from collections.abc import Sequence

from aitrain.broker import queues_of
from workers.machine import Machine


def drop_messages(machine: Machine) -> dict[str, int]:
    """Empties the queues of lost and removed hosts; how many messages were dropped, by queue, where there were any.

    Those of hosts that are only away stay: they come back and read them. Of a removed host nothing is known any more
    after that. Raises BrokerUnavailable and StoreUnavailable.
    """
    store = machine.store
    dead = store.dead_hosts()
    flavors = store.flavors_ever() if dead.lost or dead.removed else set()
    dropped = _drop(machine, [queue for host in dead.lost for queue in queues_of(host, flavors)], forget=False)
    for host in dead.removed:
        queues = queues_of(host, flavors)
        dropped |= _drop(machine, queues, forget=True)
        store.forget_queues(host, queues)
    return dropped


def _drop(machine: Machine, queues: Sequence[str], *, forget: bool) -> dict[str, int]:
    dropped = {}
    lengths = machine.broker.lengths(queues)
    for queue in queues:
        if lengths[queue] or forget:
            count = machine.broker.purge(queue, forget=forget)
            if count:
                machine.store.note_dropped(queue, count)
                dropped[queue] = count
    return dropped
