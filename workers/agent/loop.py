"""A loop of the agent: one duty, done again and again. One that meets an error says so, waits and goes on."""

from __future__ import annotations

import logging
import threading
from abc import ABC, abstractmethod

from aitrain.domain.errors import AitrainError
from workers import clock
from workers.machine import Machine

log = logging.getLogger(__name__)

# After an error, so that an engine or a store that is away is not asked in a tight circle.
PAUSE_AFTER_ERROR_SECONDS = 1.0


class Loop(ABC):
    """One duty, done again and again until stopped."""

    def __init__(self, machine: Machine, stopping: threading.Event) -> None:
        self.machine, self.stopping = machine, stopping
        self._troubled = ""
        self.came_round = clock.elapsed()

    @property
    def patience_s(self) -> float | None:
        """After so many seconds without a round it hangs. None: it may take as long as it likes.

        What it waits for at most is an engine, or a container that is being stopped.
        """
        timing = self.machine.settings.timing
        return timing.loop_patience_seconds + timing.stop_grace_seconds

    def get_on(self) -> None:
        """It does not hang. Told after each round, and within one that may last."""
        self.came_round = clock.elapsed()

    @abstractmethod
    def run_once(self) -> None:
        """Does the duty once, and waits for its next time."""

    def run(self) -> None:
        """Does the duty until the agent stops."""
        while not self.stopping.is_set():
            self.get_on()
            try:
                self.run_once()
                self._say("")
            except AitrainError as error:
                self._say(str(error))
                self.stopping.wait(PAUSE_AFTER_ERROR_SECONDS)
            except Exception:
                log.exception("%s failed unforeseen", type(self).__name__)
                self.stopping.wait(PAUSE_AFTER_ERROR_SECONDS)

    def start(self) -> threading.Thread:
        """Runs it in a thread."""
        thread = threading.Thread(target=self.run, name=type(self).__name__, daemon=True)
        thread.start()
        return thread

    def _say(self, trouble: str) -> None:
        if trouble and trouble != self._troubled:
            log.warning("%s: %s", type(self).__name__, trouble)
        elif self._troubled and not trouble:
            log.info("%s: goes on", type(self).__name__)
        self._troubled = trouble
