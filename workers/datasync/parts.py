"""Which parts of a large object a volume's manifest knows to be there already."""

from __future__ import annotations

import threading

from workers.datasync.entries import RemoteObject
from workers.datasync.large import part_bytes, ranges
from workers.datasync.manifest import Manifest

Piece = tuple[int, int, int]


class Parts:
    """The parts of one object on its way into a file. Safe to share between threads."""

    def __init__(self, manifest: Manifest, source: RemoteObject, least: int, name: str) -> None:
        """least: bytes of a part; name: of the file, if an earlier try did not begin another."""
        self._manifest, self._source = manifest, source
        size = part_bytes(source.size, least)
        known = manifest.unfinished(source.path)
        resumed = known.get("etag") == source.etag and known.get("part") == str(size)
        self.name = known["name"] if resumed else name
        self._facts = {"etag": source.etag, "part": str(size), "name": self.name}
        self._done = int(known["done"], 16) if resumed else 0
        self._lock = threading.Lock()
        self._all = ranges(source.size, size)
        self._pending = {number for number, _, _ in self._all if not self._done >> number & 1}

    @property
    def begun(self) -> bool:
        """Whether some are there."""
        return self._done != 0

    @property
    def left(self) -> list[Piece]:
        """Number, start and size of those that are not."""
        with self._lock:
            return [piece for piece in self._all if piece[0] in self._pending]

    def begin(self) -> None:
        """Notes that the file is begun."""
        self._note()

    def arrived(self, number: int) -> bool:
        """A part is there; whether it was the last."""
        with self._lock:
            self._done |= 1 << number
            self._pending.discard(number)
            self._note()
            return not self._pending

    def forget(self) -> None:
        """None is there any more."""
        with self._lock:
            self._done, self._pending = 0, {number for number, _, _ in self._all}
            self._manifest.set_unfinished(self._source.path, {})

    def _note(self) -> None:
        self._manifest.set_unfinished(self._source.path, self._facts | {"done": f"{self._done:x}"})
