"""What a copy compares: objects of a listing, entries of a volume, and what the manifest remembers. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


@dataclass(frozen=True, slots=True)
class RemoteObject:
    """An object of a listing. path: its key without the volume's prefix; size in bytes; etag without quotes."""

    path: str
    size: int
    etag: str


class Kind(StrEnum):
    """What an entry of a volume is. TOO_DEEP, CLOSED: a directory that was not walked."""

    FILE = "file"
    DIRECTORY = "directory"
    OTHER = "other"
    TOO_DEEP = "too deep"
    CLOSED = "closed"


@dataclass(frozen=True, slots=True)
class LocalFile:
    """An entry of a volume. path: relative to it, of a directory with a slash at its end; size in bytes; mtime_ns,
    ctime_ns: Unix time, ns.
    """

    path: str
    size: int
    mtime_ns: int
    ctime_ns: int
    kind: Kind = Kind.FILE


# Of a file that was pushed while the job was at work: a page that the job has mapped and written to may be written to
# again, and no time of the file tells. Such a file is compared by its content.
RECORDED_WHILE_RUNNING = -1


@dataclass(frozen=True, slots=True)
class Record:
    """What the manifest remembers of a file that equals its object: the file's stat, the object's ETag.

    ctime_ns 0: not compared, for files that others have links to; RECORDED_WHILE_RUNNING: the file's times say nothing.
    """

    path: str
    size: int
    mtime_ns: int
    ctime_ns: int
    etag: str

    def describes(self, file: LocalFile | None) -> bool:
        """The file has not been written to since. Costs its stat, not a read.

        A program can set a file's mtime back, but not its ctime.
        """
        if file is None or file.kind is not Kind.FILE:
            return False
        same = (file.size, file.mtime_ns) == (self.size, self.mtime_ns)
        return same and self.ctime_ns in (0, file.ctime_ns)

    def was_damaged(self, file: LocalFile) -> bool:
        """The file changed and its time did not: so a file looks whose content was not on the disk yet when the machine
        went down.
        """
        return file.size != self.size and file.mtime_ns <= self.mtime_ns


def in_bytes(path: str) -> bytes:
    """The order of all streams: that of the bytes of their paths."""
    return path.encode("utf-8", "surrogateescape")
