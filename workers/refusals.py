"""Messages that were refused: each said in one line, and counted in the job store.

Whoever floods a queue shall not fill the log, too, nor keep the worker's loop waiting for the store: lines are bounded,
and a thread of its own counts.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import Counter
from collections.abc import Callable

from aitrain.domain.errors import AitrainError

log = logging.getLogger(__name__)

LINES_A_MINUTE = 60
TELL_SECONDS = 1.0


class Refusals:
    """The refusals of one process."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._untold: Counter[str] = Counter()
        self._lines, self._minute = 0, 0.0

    def tells(self, tell: Callable[[str, int], None]) -> None:
        """tell: takes a queue, "" where that is not known, and how many more were refused. May raise AitrainError."""
        threading.Thread(target=self._run, args=(tell,), name="refusals", daemon=True).start()

    def note(self, queue: str, why: str) -> None:
        """One was refused."""
        with self._lock:
            self._untold[queue] += 1
            if time.monotonic() - self._minute >= 60:
                self._minute, self._lines = time.monotonic(), 0
            self._lines += 1
            lines = self._lines
        if lines <= LINES_A_MINUTE:
            log.warning("a message%s was refused and dropped: %s", f" in {queue}" if queue else "", why)
        if lines == LINES_A_MINUTE:
            log.warning("more messages that are refused in this minute are only counted")

    def _run(self, tell: Callable[[str, int], None]) -> None:
        while True:
            time.sleep(TELL_SECONDS)
            with self._lock:
                counted, self._untold = self._untold, Counter()
            for queue, count in counted.items():
                try:
                    tell(queue, count)
                except AitrainError:
                    with self._lock:
                        self._untold[queue] += count
