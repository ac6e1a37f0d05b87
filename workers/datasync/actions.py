"""What a plan consists of, and what it comes to. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import StrEnum

from workers.datasync.entries import LocalFile, Record, RemoteObject

# Names of each kind that a tally keeps for people; the rest is counted.
NAMES_KEPT = 10


class Do(StrEnum):
    """One thing that a copy does. The value is the word that people read."""

    DOWNLOAD = "download"
    MAKE_DIRECTORY = "make directory"
    UPLOAD = "upload"
    DELETE = "delete object"
    DROP = "remove file"
    KEEP = "unchanged"
    LEAVE = "left alone"
    SKIP = "skipped"
    UNFIT = "cannot be pushed"
    CLASH = "clash"


# What comes beside the files that a copy is about.
BESIDE = frozenset({Do.DROP, Do.DELETE, Do.MAKE_DIRECTORY, Do.CLASH})
# What a copy has nothing to do for.
PASSIVE = frozenset({Do.KEEP, Do.LEAVE, Do.SKIP})


@dataclass(frozen=True, slots=True)
class Action:
    """One action on one path.

    why: of what is not copied; CLASH: the other path; DOWNLOAD: file is what stands there now; UPLOAD: record is what
    is known of it.
    """

    do: Do
    path: str
    why: str = ""
    remote: RemoteObject | None = None
    file: LocalFile | None = None
    record: Record | None = None

    @property
    def size(self) -> int:
        """Bytes that it copies."""
        if self.do is Do.DOWNLOAD and self.remote is not None:
            return self.remote.size
        return self.file.size if self.do is Do.UPLOAD and self.file is not None else 0

    def __str__(self) -> str:
        size = f" ({self.size} bytes)" if self.do in (Do.DOWNLOAD, Do.UPLOAD) else ""
        return f"{self.do}: {self.path!r}{size}" + (f": {self.why}" if self.why else "")


@dataclass
class Tally:
    """A plan in numbers.

    counts: of each kind; bytes: to be copied; names: the first of each kind that is not copied, with the reason;
    clashes: pairs of paths of which one would have to be a file and a directory at once.
    """

    counts: dict[Do, int] = field(default_factory=dict)
    bytes: int = 0
    names: dict[Do, list[str]] = field(default_factory=dict)
    clashes: dict[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, plan: Iterable[Action]) -> Tally:
        """Counts a plan."""
        tally = cls()
        for action in plan:
            tally.counts[action.do] = tally.counts.get(action.do, 0) + 1
            tally.bytes += action.size
            if action.do is Do.CLASH:
                tally.clashes.setdefault(action.path, action.why)
            elif action.why and tally[action.do] <= NAMES_KEPT:
                tally.names.setdefault(action.do, []).append(f"{action.path!r} ({action.why})")
        return tally

    def __getitem__(self, do: Do) -> int:
        return self.counts.get(do, 0)

    @property
    def passive(self) -> int:
        """Paths for which nothing has to be done."""
        return sum(self[do] for do in PASSIVE)

    @property
    def unfit(self) -> int:
        """Files that cannot be pushed: as they are, or because of what the data store has there."""
        return self[Do.UNFIT] + len(self.clashes)

    @property
    def files(self) -> int:
        """Paths that the plan is about, but for what it removes."""
        return sum(self.counts.values()) - sum(self[do] for do in BESIDE)

    def __str__(self) -> str:
        parts = [f"{count} x {do}" for do, count in self.counts.items()]
        return f"{', '.join(parts) or 'nothing to do'}; {self.bytes} bytes to copy"
