"""The disk's side of a volume. The job that wrote there is not trusted: no link is followed, no special file opened."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from workers.datasync.plan import LocalFile


@dataclass
class Scan:
    """What stands in a volume: its regular files by path, and what else was found, which is never copied."""

    files: dict[str, LocalFile] = field(default_factory=dict)
    skipped: list[str] = field(default_factory=list)


def scan(root: Path) -> Scan:
    """Walks a volume by directory descriptors, so that a directory swapped for a link meanwhile is not entered."""
    found = Scan()
    for directory, subdirectories, names, descriptor in os.fwalk(root, follow_symlinks=False):
        base = os.path.relpath(directory, root)
        for name in [*names, *subdirectories]:
            path = name if base == "." else f"{base}/{name}"
            try:
                info = os.stat(name, dir_fd=descriptor, follow_symlinks=False)
            except FileNotFoundError:
                continue
            if stat.S_ISREG(info.st_mode):
                found.files[path] = LocalFile(path, info.st_size, info.st_mtime_ns)
            elif not stat.S_ISDIR(info.st_mode):
                found.skipped.append(path)
    return found


@contextmanager
def open_inside(root: Path, path: str) -> Iterator[IO[bytes]]:
    """Opens a regular file of a volume for reading. No part of the path may be a link.

    Raises OSError if one is, or if it is no regular file any more.
    """
    *parents, name = path.split("/")
    descriptor = os.open(root, os.O_RDONLY | os.O_DIRECTORY)
    try:
        for parent in parents:
            inner = os.open(parent, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=descriptor)
            os.close(descriptor)
            descriptor = inner
        # Without O_NONBLOCK a file that was swapped for a FIFO would block the open for ever.
        opened = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=descriptor)
    finally:
        os.close(descriptor)
    with os.fdopen(opened, "rb") as file:
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            raise OSError(f"{path} is no regular file any more")
        yield file


class Layer:
    """Lays files into a volume, whole or not at all, with the owner that the job runs as."""

    def __init__(self, root: Path, parts: Path, owner: tuple[int, int]) -> None:
        """parts: a directory on the same file system, for files that are not whole yet; owner: uid, gid."""
        self._root, self._parts, self._owner = root, parts, owner
        for directory in (root, parts):
            directory.mkdir(parents=True, exist_ok=True)
        self._own(root)

    def directory(self, path: str) -> None:
        """Makes a directory of the volume, and its parents."""
        at = self._root
        for part in [part for part in path.split("/") if part]:
            at /= part
            if not at.is_dir():
                at.mkdir(exist_ok=True)
                self._own(at)

    @contextmanager
    def file(self, path: str, number: int) -> Iterator[Path]:
        """A path to write a file's content to; when the block ends well, the file stands whole in the volume.

        number: tells files that are written at the same time apart.
        """
        part = self._parts / f"{number}.part"
        try:
            yield part
            self.directory(path.rpartition("/")[0])
            self._own(part)
            part.replace(self._root / path)
        finally:
            with suppress(FileNotFoundError):
                part.unlink()

    def stat(self, path: str) -> LocalFile:
        """A file that was laid."""
        info = (self._root / path).stat(follow_symlinks=False)
        return LocalFile(path, info.st_size, info.st_mtime_ns)

    def _own(self, path: Path) -> None:
        # A worker that is not root cannot give files away; its operator runs containers as the worker's own user.
        if os.geteuid() == 0:
            os.chown(path, *self._owner, follow_symlinks=False)
