"""Listens to the engine."""

from __future__ import annotations

import logging
import threading

from aitrain.domain.errors import AitrainError
from workers.agent.looking import Reconcile
from workers.agent.loop import PAUSE_AFTER_ERROR_SECONDS, Loop
from workers.machine import Machine

log = logging.getLogger(__name__)


class Events(Loop):
    """Listens to the engine: a container that ends is dealt with at once."""

    def __init__(self, machine: Machine, stopping: threading.Event, reconcile: Reconcile) -> None:
        super().__init__(machine, stopping)
        self._reconcile = reconcile

    @property
    def patience_s(self) -> None:
        """Nothing may happen for weeks. That the engine hangs, Reconcile finds."""
        return

    def run_once(self) -> None:
        """Listens until the engine breaks off; what happened before it listened, the full look finds."""
        self._reconcile.wake()
        for container_id in self.machine.engine.deaths():
            try:
                self._reconcile.look_at(container_id)
            except AitrainError as error:
                log.warning("Events: %s", error)
            if self.stopping.is_set():
                return
        self.stopping.wait(PAUSE_AFTER_ERROR_SECONDS)
