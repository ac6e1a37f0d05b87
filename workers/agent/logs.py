"""Keeps logs while containers run."""

from __future__ import annotations

import logging
import threading

from aitrain.domain.errors import AitrainError
from workers.agent.acting import Actor
from workers.agent.loop import Loop
from workers.joblog import keep_log
from workers.machine import Machine
from workers.runtime import Container

log = logging.getLogger(__name__)


class Logs(Loop):
    """Keeps what running containers write."""

    def __init__(self, machine: Machine, stopping: threading.Event, actor: Actor) -> None:
        super().__init__(machine, stopping)
        self._actor = actor

    def run_once(self) -> None:
        """Reads on in each."""
        for container in self._actor.watched():
            self._keep(container)
        self.stopping.wait(self.machine.settings.timing.log_poll_seconds)

    def _keep(self, container: Container) -> None:
        try:
            keep_log(self.machine.engine, self.machine.store, container, self.machine.settings.limits.log_bytes)
        except AitrainError as error:
            log.warning("job %s: its log was not read: %s", container.job_id, error)
        except Exception:
            log.exception("job %s: its log was not read", container.job_id)
