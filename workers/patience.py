"""Work for a client that waits, which a stranger's server may drag out: bounded in time, whatever that server does.

A library's limit holds for each read, so a server that sends one byte now and then holds whoever reads for ever. Four
such answers would hold every slot of a control worker, and no sweep would run. What takes too long goes on beside the
slots, and only so much of it.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

from workers.about import carrying

log = logging.getLogger(__name__)

# Longer than an honest server takes: two answers of five seconds each, and a connection to make.
PATIENCE_SECONDS = 20.0
# At work at once, those that went on included.
MOST = 8


class Patience:
    """Runs works, each in a thread."""

    def __init__(self, seconds: float = PATIENCE_SECONDS, most: int = MOST) -> None:
        self._seconds = seconds
        self._room = threading.BoundedSemaphore(most)
        self._at_work: set[str] = set()
        self._lock = threading.Lock()

    def run(self, name: str, work: Callable[[], None], subject: str = "") -> bool:
        """Runs one, and waits for it as long as that is worth it; whether it ended. Raises what it raised meanwhile.

        name: for lines that tell of it; subject: of which one is at work at a time, "" if any number may be.
        """
        if not self._admits(subject):
            log.warning("%s is left: others before it still wait for servers whose answers do not end", name)
            return False
        over, failures = threading.Event(), list[Exception]()

        def body() -> None:
            try:
                work()
            except Exception as failure:
                failures.append(failure)
            finally:
                self._at_work.discard(subject)
                self._room.release()
                over.set()

        carrying(body, name=name).start()
        if not over.wait(self._seconds):
            log.warning("%s takes longer than %g s, and is waited for no more", name, self._seconds)
            return False
        if failures:
            raise failures[0]
        return True

    def _admits(self, subject: str) -> bool:
        with self._lock:
            if subject in self._at_work or not self._room.acquire(blocking=False):
                return False
            if subject:
                self._at_work.add(subject)
            return True
