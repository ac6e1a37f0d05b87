"""Runs many small works side by side, taken from a stream of them, so that a million are never held at once."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator

from aitrain.domain.errors import StepCancelled
from workers.about import carrying
from workers.datasync.faults import passes_by_itself

Work = Callable[[], None]
# Enough to hide the latency of small objects, and few enough for the memory that each one's part takes.
THREADS = 16
# So many failures one after another that may pass, and the rest would fail, too: it is worth a pause, not more waiting.
OUTAGE_FAILURES = 2 * THREADS


class Crew:
    """Threads that share one stream of works."""

    def __init__(self, *, first_failure_ends: bool, threads: int = THREADS) -> None:
        self._first_failure_ends, self._threads = first_failure_ends, threads
        self._lock = threading.Lock()
        self._over = threading.Event()
        self._failure: BaseException | None = None
        self._in_a_row = 0

    def run(self, works: Iterator[Work]) -> None:
        """Runs all of them, and raises a failure when no work is under way any more.

        After a failure the others are still done, unless the first is to end it, or the data store is away for good. A
        StepCancelled always ends it. Of several failures one that may pass is raised: then all are tried again.
        """
        # Not a pool: its threads would keep a worker from ending while a request hangs.
        threads = [carrying(self._take_turns, works, name="copy") for _ in range(self._threads)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        if self._failure is not None:
            raise self._failure

    def _take_turns(self, works: Iterator[Work]) -> None:
        while not self._over.is_set():
            try:
                with self._lock:
                    work = None if self._over.is_set() else next(works, None)
            except BaseException as failure:  # the stream itself broke: nobody knows what would come next
                self._failed(failure, ends=True)
                return
            if work is None:
                return
            try:
                work()
            except BaseException as failure:
                self._failed(failure, ends=self._first_failure_ends or isinstance(failure, StepCancelled))
            else:
                self._in_a_row = 0

    def _failed(self, failure: BaseException, *, ends: bool) -> None:
        with self._lock:
            self._in_a_row = self._in_a_row + 1 if passes_by_itself(failure) else 0
            if self._failure is None or _rank(failure) > _rank(self._failure):
                self._failure = failure
            if ends or self._in_a_row >= OUTAGE_FAILURES:
                self._over.set()


def _rank(failure: BaseException) -> int:
    """Which of two failures says more: that the copy was given up, that it may pass, any other."""
    return 2 if isinstance(failure, StepCancelled) else int(passes_by_itself(failure))
