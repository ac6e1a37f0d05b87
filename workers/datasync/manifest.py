"""The manifest of a volume: which of its files equal which objects. Kept beside the volume, out of the job's reach.

It is an SQLite file, so that it may be cut at any moment and hold millions of files. It outlives a crash of the worker,
but not one of the machine: files that were laid down shortly before may then be empty although it knows them.
"""

from __future__ import annotations

import json
import logging
import sqlite3
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, suppress
from pathlib import Path
from typing import Self

from workers.datasync.entries import Record, in_bytes

log = logging.getLogger(__name__)

BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
TABLES = """
CREATE TABLE IF NOT EXISTS seen (path BLOB PRIMARY KEY, size INT, mtime_ns INT, ctime_ns INT, etag TEXT) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS pushed (path BLOB PRIMARY KEY, etag TEXT) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS deleted (path BLOB PRIMARY KEY) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS facts (name TEXT PRIMARY KEY, value TEXT) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS unfinished (path BLOB PRIMARY KEY, value TEXT) WITHOUT ROWID;
"""
# What a kill may cost is copied again: no more than this.
KEPT_BACK_ROWS = 200
KEPT_BACK_SECONDS = 0.5


class Manifest:
    """Remembers files as they are laid down or pushed. Safe to share between threads."""

    def __init__(self, path: Path) -> None:
        """Opens it, or begins a new one where there is none that can be read.

        Raises sqlite3.Error and OSError for the disk's faults.
        """
        self._path = path
        self._lock = threading.RLock()
        self._waiting: list[tuple[bytes, int, int, int, str]] = []
        self._pushed: list[tuple[bytes, str]] = []
        self._written = time.monotonic()
        try:
            self._db = self._open()
        except sqlite3.OperationalError:
            raise  # it cannot be opened now: what it knows is still there
        except sqlite3.DatabaseError as error:
            log.warning("the manifest %s cannot be read, and is begun anew: %s", path, error)
            path.unlink()
            self._db = self._open()
        self.same_boot = self._fact("boot_id") in ("", _boot_id())

    def _open(self) -> sqlite3.Connection:
        db = sqlite3.connect(self._path, check_same_thread=False, isolation_level=None)
        try:
            # Against a kill the page cache is enough, and against a crash of the machine nothing of this would be.
            db.execute("PRAGMA synchronous=OFF")
            db.executescript(TABLES)
        except sqlite3.Error:
            db.close()
            raise
        return db

    def records(self) -> Iterator[Record]:
        """All of it, sorted by path."""
        return self._records("SELECT * FROM seen ORDER BY path")

    def pushed(self) -> Iterator[Record]:
        """Of these, what was pushed from here and not pulled since, sorted by path."""
        return self._records("SELECT seen.* FROM seen JOIN pushed USING (path, etag) ORDER BY path")

    def _records(self, query: str) -> Iterator[Record]:
        self.flush()
        with self._lock, closing(self._db.execute(query)) as rows:
            for path, size, mtime_ns, ctime_ns, etag in rows:
                yield Record(path.decode("utf-8", "surrogateescape"), size, mtime_ns, ctime_ns, etag)

    def record(self, record: Record, *, pushed: bool = False) -> None:
        """Remembers a file. It is written with the next ones. pushed: its object was made from it."""
        with self._lock:
            row = (in_bytes(record.path), record.size, record.mtime_ns, record.ctime_ns, record.etag)
            self._waiting.append(row)
            if pushed:
                self._pushed.append((row[0], record.etag))
            late = time.monotonic() - self._written > KEPT_BACK_SECONDS
            if late or len(self._waiting) >= KEPT_BACK_ROWS:
                self.flush()

    def flush(self) -> None:
        """Writes what waits. A full disk costs the memory of it, not the copy: what is not known is copied again."""
        with self._lock:
            rows, self._waiting = self._waiting, []
            pushed, self._pushed = self._pushed, []
            self._written = time.monotonic()
            if pushed:
                self._write("INSERT OR REPLACE INTO pushed VALUES (?, ?)", pushed)
            if rows:
                self._write("INSERT OR REPLACE INTO seen VALUES (?, ?, ?, ?, ?)", rows)

    def forget(self, path: str) -> None:
        """Forgets a file."""
        self.flush()
        self._write("DELETE FROM seen WHERE path = ?", [(in_bytes(path),)])

    def note_deleted(self, path: str) -> None:
        """Forgets a file of which the object is deleted, and remembers that."""
        self._write("INSERT OR REPLACE INTO deleted VALUES (?)", [(in_bytes(path),)])
        self.forget(path)

    @property
    def deleted(self) -> int:
        """How many objects were deleted from here."""
        with self._lock:
            return int(self._db.execute("SELECT count(*) FROM deleted").fetchone()[0])

    def begin(self) -> None:
        """Called before files are laid down. What is known from before the machine started last is forgotten."""
        with self._lock:
            if not self.same_boot:
                self._write("DELETE FROM seen", [()], needed=True)
                self._write("DELETE FROM unfinished", [()], needed=True)
            self._set("boot_id", _boot_id())
            self._set("complete", "")
            self.same_boot = True

    def completed(self) -> None:
        """Records that it knows every file of the volume as it was before the job ran."""
        self.flush()
        self._set("complete", "1")

    @property
    def complete(self) -> bool:
        """Whether what it knows and the volume does not hold was removed there by the job."""
        return self.same_boot and self._fact("complete") == "1"

    def unfinished(self, path: str) -> dict[str, str]:
        """What is known of a large copy that was cut off, {} if nothing is."""
        with self._lock:
            row = self._db.execute("SELECT value FROM unfinished WHERE path = ?", (in_bytes(path),)).fetchone()
        with suppress(ValueError):
            return dict(json.loads(row[0])) if row else {}
        return {}

    def all_unfinished(self) -> list[dict[str, str]]:
        """What is known of every large copy that was cut off."""
        with self._lock:
            return [dict(json.loads(value)) for (value,) in self._db.execute("SELECT value FROM unfinished")]

    def set_unfinished(self, path: str, facts: dict[str, str]) -> None:
        """Remembers a large copy that has begun; {}: it is over."""
        if facts:
            rows = [(in_bytes(path), json.dumps(facts))]
            self._write("INSERT OR REPLACE INTO unfinished VALUES (?, ?)", rows)
        else:
            self._write("DELETE FROM unfinished WHERE path = ?", [(in_bytes(path),)])

    def _fact(self, name: str) -> str:
        with self._lock:
            row = self._db.execute("SELECT value FROM facts WHERE name = ?", (name,)).fetchone()
        return str(row[0]) if row else ""

    def _set(self, name: str, value: str) -> None:
        self._write("INSERT OR REPLACE INTO facts VALUES (?, ?)", [(name, value)], needed=True)

    def _write(self, statement: str, rows: Sequence[tuple[object, ...]], *, needed: bool = False) -> None:
        with self._lock:
            try:
                self._db.execute("BEGIN")
                self._db.executemany(statement, rows)
                self._db.execute("COMMIT")
            except sqlite3.Error as error:
                with suppress(sqlite3.Error):
                    self._db.execute("ROLLBACK")
                if needed:
                    raise
                log.warning("the manifest %s was not written: %s", self._path, error)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.flush()
        self._db.close()


def _boot_id() -> str:
    try:
        return BOOT_ID.read_text().strip()
    except OSError:
        return "unknown"
