"""What containers wrote: the newest lines of each attempt, and which parts of its log lie in the object store.

Fields of a log's hash beside the parts (legend.py): fence, project; next: number of the first line that the store has
not had; ring_first: of the first line in the ring, ring_size: bytes of text there; kept: whether its host uploads it;
uploaded: bytes of text in the object store; total: lines in all, once it is over; complete: whether all were read;
cut_from, cut_to: between these lines the limit has cut, cut_lines and cut_bytes: what it has cut; cut_for, cut: the
last part that was registered and cut others, and which; gone: its time was past, and all of it is removed.
"""

from __future__ import annotations

import base64
import zlib
from collections.abc import Sequence
from dataclasses import dataclass

from aitrain.domain.logs import LogLine, parse_lines
from aitrain.store.connection import Connection

# Of text, in one block of the ring: little enough that a ring of one MiB falls out in small pieces.
BLOCK_BYTES = 32 * 1024
# The most of a chatty log falls out of its ring at once: packing it well is not worth the host's time.
BLOCK_LEVEL = 1


@dataclass(frozen=True)
class LogStand:
    """How far the store has a log. known: whether it takes lines of that attempt; next: number of the first line that
    it has not had; total: as in LogState.
    """

    known: bool
    next: int = 0
    total: int | None = None


@dataclass(frozen=True)
class LogState:
    """What there is of an attempt's log.

    chunks: (first line, lines) of the parts in the object store, in order; ring_first, next: the store has had lines up
    to `next`, and still has those from ring_first on; total: lines in all, None while it grows; complete: False: its
    end could not be read; kept: its host uploads it; cut_from, cut_to: between these lines the limit has cut cut_lines,
    cut_bytes in all; gone: its time was past, and all of it was removed.
    """

    chunks: tuple[tuple[int, int], ...] = ()
    ring_first: int = 0
    next: int = 0
    total: int | None = None
    complete: bool = True
    kept: bool = False
    cut_from: int = 0
    cut_to: int = 0
    cut_lines: int = 0
    cut_bytes: int = 0
    gone: bool = False


@dataclass(frozen=True)
class DueLog:
    """A log whose time is past."""

    project: str
    job_id: str
    attempt: int


@dataclass(frozen=True)
class ChunkAsk:
    """A part of a log that somebody wants to read."""

    project: str
    job_id: str
    attempt: int
    first: int


@dataclass(frozen=True)
class ChunkAnswer:
    """What came of it. text: the lines; unable: why they could not be read, or ""; gone: it is not there."""

    text: str = ""
    unable: str = ""
    gone: bool = False


class Logs(Connection):
    """Logs, by job and attempt."""

    def append_log(
        self,
        job_id: str,
        fence: str,
        *,
        first: int,
        lines: Sequence[bytes],
        ring_bytes: int,
        kept: bool = False,
    ) -> LogStand:
        """Appends lines to the ring; `first` is the number of the first one, and each is as raw_line makes it.

        Those that the store has had are skipped; where some are missing before, that stays a gap. ring_bytes: bytes of
        text that the ring keeps; kept: whether the host uploads the log. known=False: no such job, or another attempt.
        """
        stand = LogStand(known=True, next=first)
        while True:
            arguments = {"id": job_id, "fence": fence, "blocks": _blocks(first, lines), "ring_bytes": ring_bytes,
                         "kept": kept}  # fmt: skip
            answer = self._run("append_log", arguments)
            stand = _stand(answer)
            if not answer.get("again"):
                return stand
            # It has had some of these: the others are for it to take as they are.
            lines, first = lines[stand.next - first :], stand.next

    def log_stand(self, job_id: str, fence: str) -> LogStand:
        """How far the store has the log, without writing."""
        return _stand(self._run("append_log", {"id": job_id, "fence": fence, "blocks": [], "look": True}))

    def register_log_chunk(
        self, job_id: str, fence: str, *, first: int, count: int, size: int, max_bytes: int
    ) -> list[int]:
        """Says that `count` lines from `first` on lie in the object store; size: their bytes as text.

        Returns the first lines of the parts that are to be deleted there now, since the log is past max_bytes: they are
        registered no more. Works for attempts that are over, too; of a deleted job it returns [first].
        """
        arguments = {"id": job_id, "fence": fence, "first": first, "count": count, "size": size, "max_bytes": max_bytes}
        return [int(one) for one in list(self._run("register_log_chunk", arguments)["cut"])]

    def end_log(self, job_id: str, fence: str, *, total: int, complete: bool = True) -> None:
        """Says that the attempt's log is over, with so many lines. complete: False: its end could not be read."""
        self._run("end_log", {"id": job_id, "fence": fence, "total": total, "complete": complete})

    def log_state(self, job_id: str, attempt: int) -> LogState:
        """What there is of a log; of an attempt that has none: nothing."""
        held = self._ask(lambda: self._redis.hgetall(self._key("log", job_id, attempt)))
        chunks = sorted((int(name), int(value.split()[0])) for name, value in held.items() if name.isdigit())
        number = {name: int(held.get(name, 0)) for name in ("next", "cut_from", "cut_to", "cut_lines", "cut_bytes")}
        return LogState(
            chunks=tuple(chunks),
            ring_first=int(held.get("ring_first", number["next"])),
            total=int(held["total"]) if "total" in held else None,
            complete=held.get("complete") != "0",
            kept=held.get("kept") == "1" or "uploaded" in held,
            gone="gone" in held,
            **number,
        )

    def log_is_of(self, job_id: str, attempt: int, fence: str) -> bool:
        """Whether the log of that number is the one of that fence."""
        return bool(self._ask(lambda: self._redis.hget(self._key("log", job_id, attempt), "fence")) == fence)

    def log_ring(self, job_id: str, attempt: int, first: int = 0) -> list[tuple[int, LogLine]]:
        """The lines of the ring from number `first` on, with their numbers."""
        blocks = self._run("read_log", {"id": job_id, "attempt": str(attempt), "first": first})["blocks"]
        found = []
        for block in list(blocks):
            begins, _, _, packed = block.split(" ", 3)
            lines = parse_lines(zlib.decompress(base64.b64decode(packed)).decode())
            found += [(number, line) for number, line in enumerate(lines, int(begins)) if number >= first]
        return found

    def due_logs(self, limit: int, retention_ms: int, skip: int = 0) -> list[DueLog]:
        """Some logs whose attempts ended so long ago (0: never), or whose jobs were deleted. skip: of the oldest."""
        found = self._run("due_logs", {"limit": limit, "retention_ms": retention_ms, "skip": skip})["due"]
        return [DueLog(one["project"], one["id"], int(one["attempt"])) for one in list(found)]

    def forget_log(self, due: DueLog) -> None:
        """Nothing of it lies in the object store any more: the store has nothing of it either, but that it went."""
        self._run("forget_log", {"id": due.job_id, "attempt": str(due.attempt)})

    def ask_chunk(self, token: str, ask: ChunkAsk, ttl_s: int) -> None:
        """Asks for a part of a log, for ttl_s seconds."""
        key = self._key("chunk", token)
        fields = ("project", ask.project, "id", ask.job_id, "attempt", ask.attempt, "first", ask.first)
        self._change(("HSET", key, *fields), ("EXPIRE", key, ttl_s))

    def asked_chunk(self, token: str) -> ChunkAsk | None:
        """What somebody wants to read; None: nobody waits any more."""
        held = self._ask(lambda: self._redis.hgetall(self._key("chunk", token)))
        return ChunkAsk(held["project"], held["id"], int(held["attempt"]), int(held["first"])) if held else None

    def answer_chunk(self, token: str, answer: ChunkAnswer) -> bool:
        """Answers, if somebody still waits."""
        packed = base64.b64encode(zlib.compress(answer.text.encode())).decode()
        arguments = {"token": token, "text": packed, "unable": answer.unable, "gone": answer.gone}
        return bool(self._run("answer_chunk", arguments)["taken"])

    def chunk_answer(self, token: str) -> ChunkAnswer | None:
        """The answer, None while there is none."""
        key = self._key("chunk", token)
        text, unable, gone = self._ask(lambda: self._redis.hmget(key, ["text", "unable", "gone"]))
        if text is None:
            return None
        return ChunkAnswer(zlib.decompress(base64.b64decode(text)).decode(), unable or "", gone == "1")

    def drop_chunk(self, token: str) -> None:
        """Nobody waits any more."""
        self._change(("DEL", self._key("chunk", token)))


def _stand(answer: dict[str, int]) -> LogStand:
    return LogStand(bool(answer["known"]), answer.get("next", 0), answer.get("total"))


def _blocks(first: int, lines: Sequence[bytes]) -> list[dict[str, object]]:
    """The lines in blocks, each compressed."""
    blocks: list[dict[str, object]] = []
    begins, size = 0, 0
    for end, line in enumerate(lines, 1):
        size += len(line) + 1
        if size >= BLOCK_BYTES or end == len(lines):
            text = b"\n".join(lines[begins:end]) + b"\n"
            packed = base64.b64encode(zlib.compress(text, BLOCK_LEVEL)).decode()
            blocks.append({"first": first + begins, "count": end - begins, "size": size, "text": packed})
            begins, size = end, 0
    return blocks
