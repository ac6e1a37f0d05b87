"""Runs many small works side by side, taken from a stream of them, so that a million are never held at once."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

from aitrain.domain.errors import StepCancelled

Work = Callable[[], None]
# Enough to hide the latency of small objects, and few enough for the memory that each one's part takes.
THREADS = 16


class Crew:
    """Threads that share one stream of works."""

    def __init__(self, *, first_failure_ends: bool, threads: int = THREADS) -> None:
        self._first_failure_ends, self._threads = first_failure_ends, threads
        self._lock = threading.Lock()
        self._over = threading.Event()
        self._failure: BaseException | None = None

    def run(self, works: Iterator[Work]) -> None:
        """Runs all of them, and raises the first failure when no work is under way any more.

        After a failure the others are still done, unless the first is to end it; a StepCancelled always does.
        """
        with ThreadPoolExecutor(self._threads, thread_name_prefix="copy") as pool:
            for _ in range(self._threads):
                pool.submit(self._take_turns, works)
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

    def _failed(self, failure: BaseException, *, ends: bool) -> None:
        with self._lock:
            # That the copy was given up says more than what else went wrong.
            if self._failure is None or (isinstance(failure, StepCancelled) and ends):
                self._failure = failure
            if ends:
                self._over.set()
