"""Waits for the moment at which a fault hurts most: an engine's next event of a kind, a unit that is held."""

from __future__ import annotations

import threading
import time
from contextlib import closing, suppress
from typing import Any

import docker

from aitrain import Client
from aitrain.domain.errors import StoreUnavailable
from workers.drill.witness import BROKEN

ANSWER_SECONDS = 5
LOOK_SECONDS = 0.1
# Longer than any outage of Redis.
PATIENCE_SECONDS = 30.0


def await_event(docker_url: str, kind: str, seconds: float) -> None:
    """Returns at the next event of a kind, or after some seconds, or if the engine does not answer."""
    with suppress(*BROKEN), closing(docker.APIClient(base_url=docker_url, timeout=ANSWER_SECONDS)) as client:
        events: Any = client.events(filters={"type": "container", "event": kind}, decode=True)
        # Closing it is what ends the wait when nothing happens.
        limit = threading.Timer(seconds, events.close)
        limit.start()
        try:
            next(iter(events), None)
        finally:
            limit.cancel()
            events.close()


def await_held(client: Client, host: str, seconds: float) -> str:
    """The full name of a unit that a job holds on a host; of any, if none is held within some seconds.

    Raises HostNotFound, and StoreUnavailable if nothing was heard of the host.
    """
    until = time.monotonic() + seconds
    while True:
        try:
            units = [(flavor.flavor, unit) for flavor in client.host(host).flavors for unit in flavor.units]
            held = [f"{flavor}/{unit.id}" for flavor, unit in units if unit.job_id]
            if held or time.monotonic() > until:
                return held[0] if held else f"{units[0][0]}/{units[0][1].id}"
        except StoreUnavailable:
            if time.monotonic() > until + PATIENCE_SECONDS:
                raise
        time.sleep(LOOK_SECONDS)
