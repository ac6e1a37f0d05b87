"""Where a worker keeps what it has taken and not yet acknowledged."""

from __future__ import annotations

from typing import Any


def own_unacknowledged(conf: Any, owner: str) -> None:
    """Has a worker keep what it has taken and not yet acknowledged in keys of its own.

    kombu's are shared by all workers, and any of them would read and send again what others had taken.
    owner: "control", or "host.NAME".
    """
    options = dict(conf.broker_transport_options)
    for name in ("unacked", "unacked_index", "unacked_mutex"):
        options[f"{name}_key"] = f"{name}.{owner}"
    conf.broker_transport_options = options
