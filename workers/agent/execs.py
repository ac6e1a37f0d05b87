"""Which commands the agent of a host has started in jobs, kept on disk: one that is killed cannot end them itself."""

from __future__ import annotations

import fcntl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from aitrain.domain.errors import SessionRefused


class ExecRecords:
    """data_dir/execs/ID: a file for each command, by the engine's id of it.

    Its lock is held by whoever attends to it, so one that is not locked has been left.
    """

    def __init__(self, data_dir: Path) -> None:
        self._directory = data_dir / "execs"
        self._between = threading.Lock()  # a file that is there, and not locked yet

    @contextmanager
    def attended(self, exec_id: str) -> Iterator[None]:
        """Keeps it in mind, from before it starts. Raises SessionRefused if that cannot be written."""
        with self._between:
            try:
                self._directory.mkdir(parents=True, exist_ok=True)
                file = (self._directory / exec_id).open("w")
            except OSError as error:
                raise SessionRefused(f"its host cannot note that it starts a command: {error}") from error
            fcntl.flock(file, fcntl.LOCK_EX)
        with file:
            yield

    def unattended(self) -> list[str]:
        """Ids of commands that nobody attends to."""
        with self._between:
            return [path.name for path in self._directory.glob("*") if not _locked(path)]

    def forget(self, exec_id: str) -> None:
        """It is over."""
        (self._directory / exec_id).unlink(missing_ok=True)


def _locked(path: Path) -> bool:
    with path.open() as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False
