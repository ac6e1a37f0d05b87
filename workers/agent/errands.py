"""What the agent does through the broker, in a thread of its own: a broker that hangs must not hold up a heartbeat."""

from __future__ import annotations

import contextvars
import logging
import queue
import threading
from collections.abc import Callable

from aitrain.domain.errors import AitrainError

log = logging.getLogger(__name__)

# Errands that wait; past this they are dropped, since the store says again what is due.
MOST_WAITING = 1000


class Errands:
    """Runs errands one after another. One that fails is told and forgotten."""

    def __init__(self) -> None:
        self._queue: queue.Queue[tuple[str, contextvars.Context, Callable[[], object]]] = queue.Queue(MOST_WAITING)
        threading.Thread(target=self._run, name="errands", daemon=True).start()

    def put(self, what: str, errand: Callable[[], object]) -> None:
        """Has an errand run soon. what: for people, if it fails."""
        try:
            self._queue.put_nowait((what, contextvars.copy_context(), errand))
        except queue.Full:
            log.warning("%s: dropped, the broker does not keep up", what)

    def _run(self) -> None:
        while True:
            what, context, errand = self._queue.get()
            context.run(self._do, what, errand)

    @staticmethod
    def _do(what: str, errand: Callable[[], object]) -> None:
        try:
            errand()
        except AitrainError as error:
            log.warning("%s: %s", what, error)
        except Exception:
            log.exception("%s failed unforeseen", what)
