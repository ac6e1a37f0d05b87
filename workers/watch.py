"""Watches whether this process gets work done, and tells: the job store, systemd, and who reads the log.

A process that hangs where only a new start helps is ended, so that its supervisor starts it again.
"""

from __future__ import annotations

import logging
import os
import threading
from abc import ABC, abstractmethod
from dataclasses import dataclass

from aitrain.domain.errors import AitrainError
from aitrain.domain.health import Role
from aitrain.settings import Timing
from aitrain.store import Store
from workers.notify import ALIVE, notify

log = logging.getLogger(__name__)

# EX_TEMPFAIL of sysexits.h: try again.
EXIT_STUCK = 75


@dataclass(frozen=True)
class Look:
    """What one look found. proved: work got done since the last one; trouble: what is wrong, "" if nothing; end: why
    only a new start helps, "" if it does not.
    """

    proved: bool = False
    trouble: str = ""
    end: str = ""


class Watch(ABC):
    """A thread that looks now and then. One for each role says what it looks at."""

    def __init__(self, store: Store, timing: Timing, role: Role, name: str) -> None:
        """name: of the host, or of the machine, as `aitrain health` asks for it."""
        self.store, self.timing = store, timing
        self._role, self._name = role, name
        self._over, self._wake = threading.Event(), threading.Event()
        self._troubled = ""

    @abstractmethod
    def look(self) -> Look:
        """One look. May raise AitrainError: then nothing is known."""

    def start(self) -> None:
        """Looks from here on, at once for the first time."""
        threading.Thread(target=self._run, name="watch", daemon=True).start()

    def stop(self) -> None:
        """The process ends, and that it takes up nothing more is as it should be."""
        self._over.set()
        self._wake.set()

    def look_now(self) -> None:
        """There is a first proof: whoever waits for a process to be up is not to wait for the next look."""
        self._wake.set()

    def _run(self) -> None:
        while True:
            try:
                self._tell(self.look())
            except AitrainError as error:
                self._say(str(error))
            except Exception:
                log.exception("the watch failed unforeseen")
            # That this thread runs, a frozen process cannot say. That the store is away, no new start would mend.
            notify(ALIVE)
            self._wake.wait(self.timing.canary_seconds)
            self._wake.clear()
            if self._over.is_set():
                return

    def _tell(self, found: Look) -> None:
        if found.end and not self._over.is_set():
            log.critical("%s; this process ends, so that it is started anew", found.end)
            try:
                self.store.tell_trouble(self._role, self._name, found.end)
            except AitrainError as error:
                log.warning("the job store was not told of it: %s", error)
            logging.shutdown()
            # What hangs would hold up every kinder way.
            os._exit(EXIT_STUCK)
        self._say(found.trouble)
        if found.trouble:
            self.store.tell_trouble(self._role, self._name, found.trouble)
        elif found.proved:
            self.store.prove(self._role, self._name)

    def _say(self, trouble: str) -> None:
        if trouble and trouble != self._troubled:
            log.warning("not well: %s", trouble)
        elif self._troubled and not trouble:
            log.info("well again")
        self._troubled = trouble
