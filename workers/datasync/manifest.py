"""The manifest of a volume: which of its files equal which objects. Kept beside the volume, out of the job's reach."""

from __future__ import annotations

import json
import threading
from dataclasses import asdict
from pathlib import Path
from typing import IO, Self

from workers.datasync.plan import Record


class Manifest:
    """A journal: one line for each file as it is laid down or pushed, so that a crash loses no more than one."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._file: IO[str] | None = None
        self.records = self._load()

    def _load(self) -> dict[str, Record]:
        records: dict[str, Record] = {}
        if self._path.exists():
            for line in self._path.read_text().splitlines():
                try:
                    entry = json.loads(line)
                except ValueError:
                    continue  # the line at which a crash cut the journal; its file is copied again
                path = entry.pop("path")
                records[path] = Record(**entry)
        return records

    def record(self, path: str, record: Record) -> None:
        """Remembers a file."""
        line = json.dumps({"path": path, **asdict(record)})
        with self._lock:
            if self._file is None:
                self._file = self._path.open("a")
                self._file.write("\n")  # ends a line that a crash cut
            self._file.write(line + "\n")
            self._file.flush()
            self.records[path] = record

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None
