"""Fencing: a host that cannot reach the job store for long stops its containers, so that their jobs may run elsewhere.

The agent does it, and the worker, too, in case the agent is dead. The store takes the host for lost only after both the
grace period and the time that a stop takes (Timing.host_lost_seconds, which the host tells with its heartbeats).
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from aitrain.domain.errors import AitrainError
from workers.about import about_job
from workers.agent.loop import Loop
from workers.agent.pulse import Pulse
from workers.machine import Machine
from workers.runtime import Container
from workers.workspace import Workspace

log = logging.getLogger(__name__)

LOOK_SECONDS = 1.0


class Fence(Loop):
    """Watches the pulse of its host."""

    def __init__(
        self, machine: Machine, stopping: threading.Event, pulse: Pulse, *, may_look: Callable[[], bool]
    ) -> None:
        """may_look: asked before a host that has been silent for too long is fenced."""
        super().__init__(machine, stopping)
        self._pulse, self._may_look = pulse, may_look

    def run_once(self) -> None:
        """Looks at the pulse; stops what runs if it has been silent for too long."""
        timing = self.machine.settings.timing
        silence_s = self._pulse.silence_s()
        if silence_s > timing.host_grace_seconds and self._may_look():
            running = [container for container in self.machine.engine.containers() if container.running]
            if running:
                log.error(
                    "the job store has not been reached for %.0f s: stopping %d containers, so that their jobs may run "
                    "elsewhere", silence_s, len(running),
                )  # fmt: skip
                # All at once: the time until the host is taken for lost has room for one grace period, not for many.
                with ThreadPoolExecutor(len(running), thread_name_prefix="fence") as pool:
                    list(pool.map(self._stop, running))
        self.stopping.wait(min(LOOK_SECONDS, timing.host_grace_seconds / 4))

    def _stop(self, container: Container) -> None:
        with about_job(container.job_id, container.fence):
            self._stop_safely(container)

    def _stop_safely(self, container: Container) -> None:
        if self._pulse.silence_s() <= self.machine.settings.timing.host_grace_seconds:
            return  # the store is back
        try:
            Workspace(self.machine.settings.host.data_dir, container.job_id, container.fence).mark_fenced()
        except OSError as error:
            # Then its exit looks like one of its own. Worse would be to let it run.
            log.warning("job %s: could not be marked as stopped for safety: %s", container.job_id, error)
        try:
            self.machine.engine.stop(container, self.machine.settings.timing.stop_grace_seconds)
        except AitrainError as error:
            log.warning("job %s: its container could not be stopped, trying again: %s", container.job_id, error)
