"""Three lists side by side, sorted: what a data store holds, what the manifest knows, what stands in a volume.

The first and the last do not come sorted (object stores differ, directories have no order), and each may be larger than
memory. A temporary SQLite database sorts them; it goes to the disk only when it outgrows its cache.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Self

from workers.datasync.entries import Kind, LocalFile, Record, RemoteObject, in_bytes

BATCH = 1000
CACHE_KIB = 64 * 1024


class Index:
    """The lists of one copy. Used by one thread at a time."""

    def __init__(self) -> None:
        self._db = sqlite3.connect("", check_same_thread=False, isolation_level=None)
        self._db.execute(f"PRAGMA cache_size=-{CACHE_KIB}")
        self._db.execute("PRAGMA journal_mode=OFF")
        # One transaction for all of it: nothing of it needs to last.
        self._db.execute("BEGIN")
        self._db.execute("CREATE TABLE remote (path BLOB PRIMARY KEY, size INT, etag TEXT) WITHOUT ROWID")
        self._db.execute(
            "CREATE TABLE seen (path BLOB PRIMARY KEY, size INT, mtime_ns INT, ctime_ns INT, etag TEXT) WITHOUT ROWID"
        )
        self._db.execute(
            "CREATE TABLE local (path BLOB PRIMARY KEY, size INT, mtime_ns INT, ctime_ns INT, kind TEXT) WITHOUT ROWID"
        )

    def add_remote(self, objects: Iterable[RemoteObject]) -> int:
        """Adds a page of a listing; how many objects of it are new."""
        before = self._db.total_changes
        rows = [(in_bytes(one.path), one.size, one.etag) for one in objects]
        self._db.executemany("INSERT OR IGNORE INTO remote VALUES (?, ?, ?)", rows)
        return self._db.total_changes - before

    def add_seen(self, records: Iterable[Record]) -> None:
        """Adds what the manifest knows now, so that the plan does not change while it is carried out."""
        rows = ((in_bytes(one.path), one.size, one.mtime_ns, one.ctime_ns, one.etag) for one in records)
        self._db.executemany("INSERT INTO seen VALUES (?, ?, ?, ?, ?)", rows)

    def add_local(self, files: Iterable[LocalFile]) -> None:
        """Adds what a walk finds."""
        stream = iter(files)
        while batch := list(islice(stream, BATCH)):
            rows = [(in_bytes(one.path), one.size, one.mtime_ns, one.ctime_ns, one.kind) for one in batch]
            self._db.executemany("INSERT OR REPLACE INTO local VALUES (?, ?, ?, ?, ?)", rows)

    def remote(self) -> Iterator[RemoteObject]:
        """What was listed, sorted."""
        for path, size, etag in self._db.execute("SELECT * FROM remote ORDER BY path"):
            yield RemoteObject(_text(path), size, etag)

    def seen(self) -> Iterator[Record]:
        """What the manifest knew, sorted."""
        for path, size, mtime_ns, ctime_ns, etag in self._db.execute("SELECT * FROM seen ORDER BY path"):
            yield Record(_text(path), size, mtime_ns, ctime_ns, etag)

    def local(self) -> Iterator[LocalFile]:
        """What was found, sorted."""
        for path, size, mtime_ns, ctime_ns, kind in self._db.execute("SELECT * FROM local ORDER BY path"):
            yield LocalFile(_text(path), size, mtime_ns, ctime_ns, Kind(kind))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._db.close()


def _text(path: bytes) -> str:
    return path.decode("utf-8", "surrogateescape")
