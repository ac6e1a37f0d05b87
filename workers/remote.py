"""What may be asked of a worker through Celery's remote control: to tell of itself, and nothing that changes it.

Whoever may publish on the channel of remote control reaches every worker. Flower needs that for its pages; with
Celery's own commands it could also end workers, take their queues away or add others.
"""

from __future__ import annotations

from typing import Any

from celery.worker.control import Panel

# As Flower, `celery inspect` and `aitrain queue list` ask. Without enable_events and heartbeat Flower sees no worker.
HARMLESS = {
    "ping", "stats", "active", "active_queues", "registered", "scheduled", "reserved", "revoked", "conf", "query_task",
    "report", "clock", "hello", "enable_events", "heartbeat",
}  # fmt: skip


def forbid_changes() -> None:
    """Forgets all commands but the harmless ones."""
    for name in set(Panel.data) - HARMLESS:
        del Panel.data[name]
        Panel.meta.pop(name, None)


def own_unacknowledged(conf: Any, owner: str) -> None:
    """Has a worker keep what it has taken and not yet acknowledged in keys of its own.

    kombu's are shared by all workers, and any of them would read and send again what others had taken.
    owner: "control", or "host.NAME".
    """
    options = dict(conf.broker_transport_options)
    for name in ("unacked", "unacked_index", "unacked_mutex"):
        options[f"{name}_key"] = f"{name}.{owner}"
    conf.broker_transport_options = options
