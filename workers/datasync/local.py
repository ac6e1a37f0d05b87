"""The disk's side of a volume. The job that wrote there is not trusted: no link is followed, no special file opened.

Every path is walked by directory descriptors, one name at a time, so that a part of it that is a link, or becomes one
meanwhile, ends the walk instead of leading out of the volume.
"""

from __future__ import annotations

import os
import stat
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from workers.datasync.plan import MAX_DEPTH, LocalFile

DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW


@dataclass
class Scan:
    """What stands in a volume: its regular files by path, and what else was found, which is never copied."""

    files: dict[str, LocalFile] = field(default_factory=dict)
    skipped: list[str] = field(default_factory=list)
    too_deep: list[str] = field(default_factory=list)


def scan(root: Path) -> Scan:
    """Walks a volume.

    Raises OSError if a part of it cannot be read: what was not seen must not be taken for absent.
    """
    found = Scan()
    for directory, subdirectories, names, descriptor in os.fwalk(root, follow_symlinks=False, onerror=_unless_gone):
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
        if base.count("/") + 2 > MAX_DEPTH:
            found.too_deep += [f"{base}/{name}" for name in subdirectories]
            subdirectories.clear()
    return found


def _unless_gone(error: OSError) -> None:
    if not isinstance(error, FileNotFoundError):
        raise error


@contextmanager
def open_inside(root: Path, path: str) -> Iterator[IO[bytes]]:
    """Opens a regular file of a volume for reading.

    Raises OSError if a part of the path is a link, or if it is no regular file any more.
    """
    parent, _, name = path.rpartition("/")
    with _directory(root, parent) as descriptor:
        # Without O_NONBLOCK a file that was swapped for a FIFO would block the open for ever.
        opened = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=descriptor)
    with os.fdopen(opened, "rb") as file:
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            raise OSError(f"{path} is no regular file any more")
        yield file


@contextmanager
def _directory(root: Path, path: str, owner: tuple[int, int] | None = None) -> Iterator[int]:
    """A descriptor of a directory of the volume. With an owner, what is missing on the way is made, and given to it."""
    descriptor = os.open(root, os.O_RDONLY | os.O_DIRECTORY)
    try:
        for part in [part for part in path.split("/") if part]:
            if owner is not None:
                with suppress(FileExistsError):
                    os.mkdir(part, dir_fd=descriptor)
            inner = os.open(part, DIRECTORY, dir_fd=descriptor)
            os.close(descriptor)
            descriptor = inner
            if owner is not None:
                _own(descriptor, owner)
        yield descriptor
    finally:
        os.close(descriptor)


def _own(path: Path | int, owner: tuple[int, int]) -> None:
    # A worker that is not root cannot give files away; its operator runs containers as the worker's own user.
    if os.geteuid() == 0:
        os.chown(path, *owner)


class Layer:
    """Lays files into a volume, whole or not at all, with the owner that the job runs as."""

    def __init__(self, root: Path, parts: Path, owner: tuple[int, int]) -> None:
        """parts: a directory on the same file system, for files that are not whole yet; owner: uid, gid."""
        self._root, self._parts, self._owner = root, parts, owner
        for directory in (root, parts):
            directory.mkdir(parents=True, exist_ok=True)
        _own(root, owner)

    def directory(self, path: str) -> None:
        """Makes a directory of the volume, and its parents."""
        with _directory(self._root, path, self._owner):
            pass

    @contextmanager
    def file(self, path: str) -> Iterator[Path]:
        """A path to write a file's content to; when the block ends well, the file stands whole in the volume."""
        part = self._parts / uuid.uuid4().hex
        try:
            yield part
            _own(part, self._owner)
            parent, _, name = path.rpartition("/")
            with _directory(self._root, parent, self._owner) as descriptor:
                os.rename(part, name, dst_dir_fd=descriptor)
        finally:
            with suppress(FileNotFoundError):
                part.unlink()

    def stat(self, path: str) -> LocalFile:
        """A file that was laid."""
        parent, _, name = path.rpartition("/")
        with _directory(self._root, parent) as descriptor:
            info = os.stat(name, dir_fd=descriptor, follow_symlinks=False)
        return LocalFile(path, info.st_size, info.st_mtime_ns)
