"""Counts what a copy has done, and tells it at most once a second."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from aitrain.domain.job import Direction, VolumeProgress
from workers.datasync.actions import Tally

REPORT_SECONDS = 1.0


class Progress:
    """The counters of one copy of one volume. Safe to share between threads."""

    def __init__(
        self, direction: Direction, tally: Tally, report: Callable[[VolumeProgress], None], *, withheld: int = 0
    ) -> None:
        """tally: of the plan; report: called with the counters, now and at most once a second from here on; withheld:
        objects that are not deleted.
        """
        self._report = report
        self._lock = threading.Lock()
        self._counts = {
            "total": tally.files,
            "processed": tally.passive + tally.unfit,
            "skipped": tally.passive,
            "failed": tally.unfit,
            "withheld": withheld,
            "bytes_total": tally.bytes,
        }
        self._direction = direction
        self._reported = 0.0
        self.tell()

    @property
    def now(self) -> VolumeProgress:
        """The counters."""
        return VolumeProgress(direction=self._direction, **self._counts)

    @property
    def complete(self) -> bool:
        """Whether something became of every file of the plan."""
        return self._counts["processed"] >= self._counts["total"]

    def copied(self, *, size: int = 0, cached: bool = False) -> None:
        """A file is copied; size: bytes of it that were not told yet; cached: from this host's cache."""
        more = {"cached": 1, "cached_bytes": size} if cached else {}
        self._add(processed=1, completed=1, bytes=size, **more)

    def moved(self, size: int) -> None:
        """A part of a file is copied."""
        self._add(bytes=size)

    def skipped(self) -> None:
        """A file turned out to be none that is copied."""
        self._add(processed=1, skipped=1)

    def failed(self) -> None:
        """A file could not be copied."""
        self._add(processed=1, failed=1)

    def deleted(self) -> None:
        """An object is deleted."""
        self._add(deleted=1)

    def _add(self, **counts: int) -> None:
        with self._lock:
            for name, count in counts.items():
                self._counts[name] = self._counts.get(name, 0) + count
            due = time.monotonic() - self._reported >= REPORT_SECONDS
            if due:
                self._reported = time.monotonic()
        if due:
            self._report(self.now)

    def tell(self) -> None:
        """Tells it now."""
        self._reported = time.monotonic()
        self._report(self.now)
