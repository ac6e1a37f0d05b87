"""Waits for the moment at which a fault hurts most: an engine's next event of a kind."""

from __future__ import annotations

import threading
from contextlib import closing, suppress
from typing import Any

import docker

from workers.drill.witness import BROKEN

ANSWER_SECONDS = 5


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
