"""The disk's side of a volume. The job that wrote there is not trusted: no link is followed, no special file opened.

Every path is walked by directory descriptors, one name at a time, so that a part of it that is a link, or becomes one
meanwhile, ends the walk instead of leading out of the volume.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from workers.datasync.entries import Kind, LocalFile
from workers.datasync.plan import MAX_DEPTH

# What a path has become that was a file or directory: a link, something beneath a link, a FIFO, a device.
SWAPPED = frozenset({errno.ELOOP, errno.ENOTDIR, errno.EISDIR, errno.EINVAL, errno.ENXIO, errno.ENODEV})
DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW


def scan(root: Path) -> Iterator[LocalFile]:
    """Walks a volume, in no order.

    Raises OSError if a part of it cannot be read: what was not seen must not be taken for absent.
    """
    descriptor = os.open(root, os.O_RDONLY | os.O_DIRECTORY)
    try:
        yield from _scan(descriptor, "", MAX_DEPTH)
    finally:
        os.close(descriptor)


def _scan(directory: int, base: str, levels: int) -> Iterator[LocalFile]:
    subdirectories = []
    with os.scandir(directory) as entries:
        for entry in entries:
            with suppress(FileNotFoundError):
                info = entry.stat(follow_symlinks=False)
                path = base + entry.name
                if stat.S_ISDIR(info.st_mode):
                    subdirectories.append(entry.name)
                else:
                    yield _entry(path, info, Kind.FILE if stat.S_ISREG(info.st_mode) else Kind.OTHER)
    for name in subdirectories:
        if levels <= 1:
            yield LocalFile(base + name, 0, 0, 0, Kind.TOO_DEEP)
            continue
        try:
            inner = os.open(name, DIRECTORY, dir_fd=directory)
        except FileNotFoundError:
            continue
        except PermissionError:
            yield LocalFile(base + name, 0, 0, 0, Kind.CLOSED)
            continue
        except OSError as error:
            if error.errno not in (errno.ENOTDIR, errno.ELOOP):
                raise
            yield LocalFile(base + name, 0, 0, 0, Kind.OTHER)  # it was swapped for a link meanwhile
            continue
        try:
            yield _entry(f"{base}{name}/", os.fstat(inner), Kind.DIRECTORY)
            yield from _scan(inner, f"{base}{name}/", levels - 1)
        finally:
            os.close(inner)


def _entry(path: str, info: os.stat_result, kind: Kind) -> LocalFile:
    return LocalFile(path, info.st_size, info.st_mtime_ns, info.st_ctime_ns, kind)


@contextmanager
def open_inside(root: Path, path: str) -> Iterator[int]:
    """Opens a regular file of a volume for reading, and gives its descriptor.

    Raises OSError if a part of the path is a link, or if it is no regular file any more.
    """
    parent, _, name = path.rpartition("/")
    with directory_inside(root, parent) as directory:
        # Without O_NONBLOCK a file that was swapped for a FIFO would block the open for ever.
        descriptor = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=directory)
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise OSError(errno.EINVAL, "is no regular file any more", path)
        yield descriptor
    finally:
        os.close(descriptor)


def is_gone(root: Path, path: str) -> bool:
    """Whether a file of a volume, or a directory (with a slash at its end), is not there any more.

    A link or a special file in its place, or on the way to it, is no answer: what lies beyond was not seen.
    """
    *parents, name = path.removesuffix("/").split("/")
    directory = os.open(root, os.O_RDONLY | os.O_DIRECTORY)
    try:
        for part in parents:
            mode = os.stat(part, dir_fd=directory, follow_symlinks=False).st_mode
            if not stat.S_ISDIR(mode):
                return stat.S_ISREG(mode)
            inner = os.open(part, DIRECTORY, dir_fd=directory)
            os.close(directory)
            directory = inner
        mode = os.stat(name, dir_fd=directory, follow_symlinks=False).st_mode
        return stat.S_ISREG(mode) if path.endswith("/") else stat.S_ISDIR(mode)
    except FileNotFoundError:
        return True
    except OSError:
        return False
    finally:
        os.close(directory)


@contextmanager
def directory_inside(root: Path, path: str, owner: tuple[int, int] | None = None) -> Iterator[int]:
    """A descriptor of a directory of a volume. With an owner, what is missing on the way is made, and given to it."""
    descriptor = open_directory(root, path, owner)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def open_directory(root: Path, path: str, owner: tuple[int, int] | None = None) -> int:
    """The same, for callers that close it themselves."""
    descriptor = os.open(root, os.O_RDONLY | os.O_DIRECTORY)
    try:
        for part in [part for part in path.split("/") if part]:
            if owner is not None:
                with suppress(FileExistsError):
                    os.mkdir(part, dir_fd=descriptor)
            inner = os.open(part, DIRECTORY, dir_fd=descriptor)
            os.close(descriptor)
            descriptor = inner
            # Also what a worker made that was killed before it could give it away; the job makes none like that.
            if owner is not None and os.fstat(descriptor).st_uid == os.geteuid() != owner[0]:
                own(descriptor, owner)
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def own(path: Path | int, owner: tuple[int, int]) -> None:
    """Gives a file to the job's user."""
    # A worker that is not root cannot give files away; its operator runs containers as the worker's own user.
    if os.geteuid() == 0:
        os.chown(path, *owner)


def unlink_inside(root: Path, path: str) -> None:
    """Removes a file of a volume. Does nothing if it is gone."""
    parent, _, name = path.rpartition("/")
    with suppress(FileNotFoundError, NotADirectoryError), directory_inside(root, parent) as directory:
        os.unlink(name, dir_fd=directory)
