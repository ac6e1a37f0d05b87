"""Room on the disk: a copy that does not fit is refused before it begins. Copies side by side share what there is."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from aitrain.domain.errors import PlatformFault
from aitrain.domain.states import EndCause, InfoCode

MIB = 1024**2
GIB = 1024**3


class Promise:
    """Room that one copy may still take."""

    def __init__(self, size: int) -> None:
        self.left = size

    def taken(self, size: int) -> None:
        """So many bytes of it are on the disk by now."""
        self.left = max(0, self.left - size)


class Room:
    """The disk of one directory, as the copies of this process share it."""

    def __init__(self, directory: Path, reserve_bytes: int, make_room: Callable[[int], None]) -> None:
        """reserve_bytes: kept free for what is not counted here: logs, images, what running jobs write; make_room:
        called with the bytes that are missing, removes what can be spared.
        """
        self._directory, self._reserve, self._make_room = directory, reserve_bytes, make_room
        self._promises: set[Promise] = set()
        self._lock = threading.Lock()

    @contextmanager
    def promise(self, size: int, what: str) -> Iterator[Promise]:
        """Keeps room for a copy while the block lasts.

        size: bytes; what: is copied, for people. Raises PlatformFault if there is not enough.
        """
        promise = self._take(size, what)
        try:
            yield promise
        finally:
            with self._lock:
                self._promises.discard(promise)

    def _take(self, size: int, what: str) -> Promise:
        for last_try in (False, True):
            with self._lock:
                missing = size - self._spare() if size else 0
                if missing <= 0:
                    promise = Promise(size)
                    self._promises.add(promise)
                    return promise
            if not last_try:
                self._make_room(missing)
        raise PlatformFault(
            EndCause.DATA_FAULT,
            InfoCode.DATASYNC_PROGRESS_FAILED_TRANSIENT_ERROR,
            f"{what}: No space left on device for {size / GIB:.3f} GiB: {missing / MIB:.0f} MiB are missing on this "
            f"host's disk, of which {self._reserve / MIB:.0f} MiB are kept free; make room there, or take less data",
        )

    @property
    def shortage(self) -> int:
        """Bytes that the disk lacks of what is to be kept free."""
        with self._lock:
            return max(0, -self._spare())

    def _spare(self) -> int:
        disk = os.statvfs(self._directory)
        return disk.f_bavail * disk.f_frsize - self._reserve - sum(promise.left for promise in self._promises)
