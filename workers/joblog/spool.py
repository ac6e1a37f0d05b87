"""An attempt's log on its host's disk, until it is in the store and in the object store."""

from __future__ import annotations

import calendar
import fcntl
import os
import shutil
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from aitrain.domain.logs import NOTICE, LogLine, format_lines

OPEN, SENT = ".log", ".sent"
ENDED, PROJECT = "ended", "project"
LOCK_POLL_SECONDS = 0.1
# How far before the newest line the engine is read again: it takes the times of stdout and stderr apart, so a line may
# come after one that is a little younger.
OVERLAP_NS = 10**9
# Of text that stays after it was sent, however old.
KEPT_BYTES = 32 * 1024 * 1024
# The most that stays of what is read again: all parts of a line, however long, have the time of its begin. As much as
# the engine has of one, unless host.container_log_max_mib is raised.
OVERLAP_BYTES = 256 * 1024 * 1024


class SpoolBusy(Exception):
    """Another thread or process writes the spool."""


@dataclass(frozen=True)
class Segment:
    """A file of the spool. first: number of its first line; sent: it is kept only to go on after a restart."""

    path: Path
    first: int
    sent: bool


class Spool:
    """data_dir/logs/JOB.FENCE: segments of lines, named by the number of their first line.

    Who writes it holds its lock: see lock. Reading it and sending closed segments need none. Raises OSError.
    """

    def __init__(self, data_dir: Path, job_id: str, fence: str) -> None:
        self.path = data_dir / "logs" / f"{job_id}.{fence}"
        self.job_id, self.fence = job_id, fence
        self.next = 0
        self._file = self._lock_file = -1
        self._size = 0
        self._segment_bytes = self._spool_bytes = 0
        # Where reading ended: a segment's first line, the next line's number, and where that stands in the file.
        self._read = (-1, 0, 0)

    @property
    def attempt(self) -> int:
        """The attempt's number."""
        return int(self.fence.partition(".")[0])

    @property
    def exists(self) -> bool:
        """Whether it is on the disk."""
        return self.path.is_dir()

    @property
    def project(self) -> str:
        """Of the job; empty if it was not noted."""
        with suppress(OSError):
            return (self.path / PROJECT).read_text()
        return ""

    @property
    def ended(self) -> bool:
        """Whether all lines of the attempt are in it, and its end was told to the store."""
        return (self.path / ENDED).exists()

    @property
    def idle_seconds(self) -> float:
        """For how long nothing was added."""
        times = [self.path.stat().st_mtime]
        for segment in self.segments():
            with suppress(FileNotFoundError):  # another thread renamed it: that is no addition
                times.append(segment.path.stat().st_mtime)
        return time.time() - max(times[1:] or times)

    def lock(self, *, project: str, segment_bytes: int, spool_bytes: int, wait_seconds: float = 0) -> None:
        """Makes it if it is not there, and makes this its one writer; a torn last line is cut away.

        segment_bytes: of text, at which a segment is closed; spool_bytes: of text that waits here at most. Raises
        SpoolBusy if somebody else writes it for longer than wait_seconds.
        """
        self.path.mkdir(parents=True, exist_ok=True)
        lock = os.open(self.path / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        deadline = time.monotonic() + wait_seconds
        while True:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() >= deadline:
                    os.close(lock)
                    raise SpoolBusy(f"{self.path} is written by another one") from None
                time.sleep(LOCK_POLL_SECONDS)
        self._lock_file, self._segment_bytes, self._spool_bytes = lock, segment_bytes, spool_bytes
        if project and not self.project:
            (self.path / PROJECT).write_text(project)
        self._recover()

    def close(self) -> None:
        """Lets others write it."""
        for number in (self._file, self._lock_file):
            if number >= 0:
                os.close(number)
        self._file = self._lock_file = -1

    def take_up(self, following: int, sent: Sequence[LogLine], unsent: Sequence[LogLine]) -> None:
        """Begins an empty one that is locked with the lines that come just before number `following`.

        sent: the earlier ones, which are where they belong already; unsent: the later ones.
        """
        os.close(self._file)
        self._file = -1
        for segment in self.segments():
            segment.path.unlink()
        for suffix, first, lines in (
            (SENT, following - len(unsent) - len(sent), sent), (OPEN, following - len(unsent), unsent),
        ):  # fmt: skip
            if lines:
                # Renamed when it is whole: what a crash leaves counts from the right number, or is begun again.
                path = self.path / f"{first:012d}{suffix}"
                path.with_suffix(".new").write_text(format_lines(lines), newline="")
                path.with_suffix(".new").rename(path)
        self.next = following
        self._open_at(following - len(unsent))

    def append(self, lines: Sequence[bytes]) -> None:
        """Adds lines, each as raw_line makes it; those that go into one segment with one write."""
        begun = size = 0
        for end, line in enumerate(lines, 1):
            size += len(line) + 1
            if self._size + size >= self._segment_bytes:
                self._write(lines[begun:end])
                begun, size = end, 0
                self.cut()
        self._write(lines[begun:])

    def _write(self, lines: Sequence[bytes]) -> None:
        content = b"".join([line + b"\n" for line in lines])
        written = 0
        while written < len(content):
            written += os.write(self._file, content[written:])
        self.next += len(lines)
        self._size += len(content)

    def cut(self) -> None:
        """Closes the open segment, if there is anything in it, and opens the next one."""
        if not self._size:
            return
        os.close(self._file)
        self._file = -1
        self._open_at(self.next)
        self._make_room()

    def mark_ended(self) -> None:
        """Notes that nothing will be added."""
        self.cut()
        (self.path / ENDED).touch()

    def segments(self) -> list[Segment]:
        """In the order of their lines; the last one is open."""
        found = {}
        for entry in self.path.iterdir():
            if entry.suffix in (OPEN, SENT):
                found[int(entry.stem)] = Segment(entry, int(entry.stem), entry.suffix == SENT)
        return [found[first] for first in sorted(found)]

    def closed(self) -> list[Segment]:
        """Those that nobody will add to and that are still to be sent."""
        return [segment for segment in self.segments()[:-1] if not segment.sent]

    def mark_sent(self, segment: Segment) -> None:
        """It is where it belongs. The newest such ones stay: a restart finds by them where the engine's log goes on."""
        with suppress(FileNotFoundError):
            segment.path.rename(segment.path.with_suffix(SENT))
        size = 0
        for each in reversed([each for each in self.segments() if each.sent]):
            if size > OVERLAP_BYTES or (size > KEPT_BYTES and not self._is_read_again(each)):
                each.path.unlink(missing_ok=True)
            size += each.path.stat().st_size if each.path.exists() else 0

    def _is_read_again(self, segment: Segment) -> bool:
        lines = _raw_lines(segment.path)
        return bool(lines) and _at(lines[-1]) >= self._read_again_from()

    def _read_again_from(self) -> str:
        for segment in reversed(self.segments()):
            if lines := _raw_lines(segment.path):
                return earlier(_at(lines[-1]), OVERLAP_NS)
        return ""

    def newest(self) -> tuple[str, list[bytes]]:
        """The time from which on the engine is to be read again, empty if there is no line yet, and the lines of the
        spool from that time on.
        """
        kept: list[bytes] = []
        limit = ""
        for segment in reversed(self.segments()):
            lines = [line for line in _raw_lines(segment.path) if line.split(b" ", 2)[1] != NOTICE.encode()]
            if not lines:
                continue
            limit = limit or earlier(_at(lines[-1]), OVERLAP_NS)
            if _at(lines[0]) < limit:
                return limit, [line for line in lines if _at(line) >= limit] + kept
            kept = lines + kept
        # All that is left is younger: the engine is read again from the oldest of it on.
        return (_at(kept[0]) if kept and self.segments()[0].first else ""), kept

    def read(self, first: int, max_bytes: int) -> tuple[int, list[bytes]]:
        """Some lines from number `first` on, as raw_line makes them, with the number of the first of them.

        Where the last call ended, the next one goes on without reading what is before again.
        """
        chosen: list[bytes] = []
        start, size = first, 0
        for segment in self._from(first):
            number, offset = segment.first, 0
            if self._read[0] == segment.first and self._read[1] <= first:
                _, number, offset = self._read
            if not chosen:
                start = max(first, number)
            elif number != start + len(chosen):
                break
            for raw in _raw_lines(segment.path, offset):
                offset += len(raw) + 1
                if number >= start:
                    chosen.append(raw)
                    size += len(raw)
                number += 1
                if size >= max_bytes:
                    break
            self._read = segment.first, number, offset
            if size >= max_bytes:
                break
        return start, chosen

    def remove(self) -> None:
        """Removes all of it."""
        shutil.rmtree(self.path, ignore_errors=True)

    def _from(self, first: int) -> list[Segment]:
        segments = self.segments()
        begins = [number for number, segment in enumerate(segments) if segment.first <= first]
        return segments[begins[-1] if begins else 0 :]

    def _recover(self) -> None:
        segments = self.segments()
        if not segments:
            self.next = 0
            self._open_at(0)
            return
        last = segments[-1]
        if last.sent:  # killed between two renames
            self.next = last.first + last.path.read_bytes().count(b"\n")
            self._open_at(self.next)
            return
        content = last.path.read_bytes()
        whole = content.rfind(b"\n") + 1
        if whole < len(content):
            os.truncate(last.path, whole)
        self.next = last.first + content.count(b"\n")
        self._open_at(last.first)

    def _open_at(self, first: int) -> None:
        path = self.path / f"{first:012d}{OPEN}"
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        self._size = os.fstat(self._file).st_size

    def _make_room(self) -> None:
        """Keeps the first half of what may wait and the newest: a failure explains itself at its begin or its end."""
        closed = self.closed()
        sizes = []
        for segment in closed:
            with suppress(FileNotFoundError):
                sizes.append((segment, segment.path.stat().st_size))
        total, before = sum(size for _, size in sizes), 0
        for segment, size in sizes:
            if total <= self._spool_bytes:
                return
            before += size
            if before > self._spool_bytes // 2:
                segment.path.unlink(missing_ok=True)
                total -= size


def spools(data_dir: Path) -> Iterator[Spool]:
    """All that are on the disk."""
    directory = data_dir / "logs"
    for path in sorted(directory.iterdir()) if directory.is_dir() else ():
        job_id, _, fence = path.name.partition(".")
        if fence and path.is_dir():
            yield Spool(data_dir, job_id, fence)


def _at(line: bytes) -> str:
    return line.partition(b" ")[0].decode()


def _raw_lines(path: Path, offset: int = 0) -> list[bytes]:
    """Its whole lines from a place in the file on."""
    for each in (path, path.with_suffix(SENT)):
        with suppress(FileNotFoundError), each.open("rb") as file:
            file.seek(offset)
            content = file.read()
            return content[: content.rfind(b"\n") + 1].split(b"\n")[:-1]
    return []


def earlier(at: str, span_ns: int) -> str:
    """A time that is so much earlier, in the same form."""
    seconds, _, fraction = at.rstrip("Z").partition(".")
    whole = calendar.timegm(time.strptime(seconds, "%Y-%m-%dT%H:%M:%S"))
    total = whole * 10**9 + int(fraction.ljust(9, "0") or 0) - span_ns
    return f"{time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime(total // 10**9))}.{total % 10**9:09d}Z"
