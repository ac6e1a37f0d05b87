"""A small disk of its own, which can be filled to its last byte."""

from __future__ import annotations

import os
import subprocess
from contextlib import suppress
from pathlib import Path
from typing import Self

from workers.scratch.servers import ServerFailed


class SmallDisk:
    """A file system in memory of a fixed size, mounted on a directory. Needs root."""

    def __init__(self, path: Path, size_mib: int) -> None:
        self.path, self._size_mib = path, size_mib
        self._ballast = path / "ballast"

    def mount(self) -> Self:
        """Makes it. Raises ServerFailed if the system refuses."""
        self.path.mkdir(parents=True, exist_ok=True)
        # Room for a data directory's folders, which the jobs' users cross.
        options = f"size={self._size_mib}m,mode=0755"
        done = subprocess.run(
            ["mount", "-t", "tmpfs", "-o", options, "aitrain-scratch", str(self.path)],
            check=False, capture_output=True, text=True,
        )  # fmt: skip
        if done.returncode:
            raise ServerFailed(f"a disk could not be mounted on {self.path}: {done.stderr.strip()}")
        return self

    def unmount(self) -> None:
        """Takes it away with all it holds; what still uses it keeps it until it ends. Does nothing if it is away."""
        if self.path.is_mount():
            subprocess.run(["umount", "--lazy", str(self.path)], check=False, stderr=subprocess.DEVNULL)

    def fill(self) -> None:
        """Takes all the room that is left. What others give free afterwards is free until the next call."""
        free = os.statvfs(self.path)
        with self._ballast.open("ab") as file, suppress(OSError):  # others write too, so the last bytes may be gone
            size = file.tell()
            os.posix_fallocate(file.fileno(), size, max(1, free.f_bavail * free.f_frsize))

    def relieve(self) -> None:
        """Gives the room back."""
        self._ballast.unlink(missing_ok=True)
