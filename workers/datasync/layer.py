"""Lays files into a volume, whole or not at all, with the owner that the job runs as."""

from __future__ import annotations

import errno
import itertools
import os
import shutil
import threading
import uuid
from collections.abc import Collection
from contextlib import suppress
from pathlib import Path
from typing import Self

from workers.datasync.entries import Kind, LocalFile
from workers.datasync.local import open_directory, own


class Layer:
    """One volume's files. Safe to share between threads."""

    def __init__(self, root: Path, parts: Path, owner: tuple[int, int], *, running: bool = False) -> None:
        """parts: a directory on the same file system, for files that are not whole yet; owner: uid, gid; running: the
        job is at work there, and what it changes is left alone.
        """
        self.root, self.parts, self.owner, self._running = root, parts, owner, running
        for directory in (root, parts):
            directory.mkdir(parents=True, exist_ok=True)
        own(root, owner)
        # Another process may have left parts here, which large files go on with.
        self._name, self._numbers = uuid.uuid4().hex, itertools.count()
        self._last = threading.local()
        self._held: set[int] = set()
        self._lock = threading.Lock()

    def new_part(self) -> Path:
        """A path for a file that is not whole yet."""
        return self.parts / f"{self._name}-{next(self._numbers)}"

    def clear_parts(self, keep: Collection[str]) -> None:
        """Removes parts that an earlier try left, but for those of large files that are gone on with."""
        for part in self.parts.iterdir():
            if part.name not in keep:
                part.unlink()

    @property
    def bytes_of_parts(self) -> int:
        """What the parts of an earlier try take on the disk."""
        return sum(part.stat().st_blocks * 512 for part in self.parts.iterdir())

    def make_directory(self, path: str) -> None:
        """Makes a directory of the volume, and its parents."""
        os.close(open_directory(self.root, path, self.owner))

    def lay(self, path: str, content: bytes, before: LocalFile | None = None) -> LocalFile:
        """Writes a file of the volume. before, and errors: as for move_in."""
        part = self.new_part()
        try:
            descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644)
            try:
                _write(descriptor, content)
                own(descriptor, self.owner)
            finally:
                os.close(descriptor)
            return self.move_in(part, path, before)
        except BaseException:
            with suppress(FileNotFoundError):
                part.unlink()
            raise

    def move_in(self, part: Path, path: str, before: LocalFile | None = None) -> LocalFile:
        """Puts a whole file in its place in the volume.

        before: what the plan saw there. It is replaced; but if the job is at work and has put anything else there
        since, FileExistsError is raised.
        """
        directory, name = self._parent(path)
        if not self._running:
            _replace(part, directory, name)
        elif before is None:
            os.link(part, name, dst_dir_fd=directory)  # fails where anything stands by now
            part.unlink()
        else:
            if _stat(directory, name, path) != before:
                raise FileExistsError(errno.EEXIST, "was written to by the job meanwhile", path)
            os.rename(part, name, dst_dir_fd=directory)
        return _stat(directory, name, path)

    def link(self, source: Path, path: str, before: LocalFile | None = None) -> LocalFile:
        """Puts another name of a file in the volume. before, and errors: as for move_in."""
        part = self.new_part()
        os.link(source, part)
        try:
            return self.move_in(part, path, before)
        finally:
            # Where both were links to one file already, the rename leaves both of them.
            part.unlink(missing_ok=True)

    def _parent(self, path: str) -> tuple[int, str]:
        """A descriptor of the directory of a path, and the name in it.

        Each thread keeps its last one: files come sorted, and most lie beside the one before. Where the job is at work
        it may have moved that directory away, so that it is looked up anew.
        """
        parent, _, name = path.rpartition("/")
        if self._running or getattr(self._last, "path", None) != parent:
            descriptor = open_directory(self.root, parent, self.owner)
            self._forget()
            self._last.path, self._last.descriptor = parent, descriptor
            with self._lock:
                self._held.add(descriptor)
        return self._last.descriptor, name

    def _forget(self) -> None:
        if getattr(self._last, "path", None) is not None:
            self._last.path = None
            with self._lock:
                if self._last.descriptor in self._held:
                    self._held.remove(self._last.descriptor)
                    os.close(self._last.descriptor)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        with self._lock:
            while self._held:
                os.close(self._held.pop())


def _replace(part: Path, directory: int, name: str) -> None:
    try:
        os.rename(part, name, dst_dir_fd=directory)
    except IsADirectoryError:
        # An earlier try laid files beneath what is a file by now. Nothing of a job is there yet.
        shutil.rmtree(name, dir_fd=directory)
        os.rename(part, name, dst_dir_fd=directory)


def _write(descriptor: int, content: bytes) -> None:
    view = memoryview(content)
    while view:
        view = view[os.write(descriptor, view) :]


def _stat(directory: int, name: str, path: str) -> LocalFile:
    info = os.stat(name, dir_fd=directory, follow_symlinks=False)
    return LocalFile(path, info.st_size, info.st_mtime_ns, info.st_ctime_ns, Kind.FILE)
