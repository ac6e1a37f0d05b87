"""Logs: their lines, the text in which they are kept, and where a closed part of one lies in the object store."""

from __future__ import annotations

import gzip
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from aitrain.domain.volume import ALIAS, CONTAINER

STDOUT, STDERR = "stdout", "stderr"
# Of lines that are ours: notices in a log.
NOTICE = "aitrain"
# Of gzip: the next ones take twice a host's time and more, for a tenth less room.
PACK_LEVEL = 3
STREAMS = (STDOUT, STDERR, NOTICE)
PLACE_FORM = "container@alias/prefix"
PLACE = re.compile(r"(?P<container>[^@:/]+)@(?P<alias>[^@:/]+)(/(?P<prefix>[^:\0]*))?")


@dataclass(frozen=True)
class LogLine:
    """One line that a container wrote. at: RFC 3339 time by the engine's clock, in nanoseconds; stream: "stdout",
    "stderr", or "aitrain" for a notice of ours.
    """

    at: str
    text: str
    stream: str = STDOUT


@dataclass(frozen=True)
class LogPlace:
    """Where logs are kept: the container of a data store, and a prefix without slashes at its ends."""

    container: str
    alias: str
    prefix: str = ""

    def __str__(self) -> str:
        return f"{self.container}@{self.alias}" + (f"/{self.prefix}" if self.prefix else "")


def log_place(text: str) -> LogPlace:
    """Reads "container@alias/prefix". Raises ValueError, which says what is wrong."""
    match = PLACE.fullmatch(text)
    if match is None:
        raise ValueError(f"is not a place for logs: write {PLACE_FORM}, for example logs@s3/aitrain")
    container, alias, prefix = match["container"], match["alias"], (match["prefix"] or "").rstrip("/")
    if not CONTAINER.fullmatch(container):
        raise ValueError(f"names the container {container!r}: use 3 to 63 lower-case letters, digits, dots and hyphens")
    if not ALIAS.fullmatch(alias):
        raise ValueError(f"names the alias {alias!r}: use the name of a data store")
    if prefix.startswith("/") or ".." in prefix.split("/"):
        raise ValueError(f"names the prefix {prefix!r}: give one without a leading / or ..")
    return LogPlace(container, alias, prefix)


def attempt_prefix(prefix: str, project: str, job_id: str, attempt: int) -> str:
    """Under this key lies all that is kept of an attempt's log."""
    return "/".join([*([prefix] if prefix else []), project, job_id, str(attempt)]) + "/"


def chunk_key(prefix: str, project: str, job_id: str, attempt: int, first: int) -> str:
    """The key of the part of a log that begins with line `first`."""
    return f"{attempt_prefix(prefix, project, job_id, attempt)}{first:012d}.log.gz"


def format_line(line: LogLine) -> str:
    """A line as text, in the format that Kubernetes' container runtimes write; it ends with a newline."""
    return f"{line.at} {line.stream} F {line.text}\n"


def raw_line(at: bytes, stream: bytes, text: bytes) -> bytes:
    """A line as format_line writes it, without its newline, from what is bytes already; text: UTF-8."""
    return b"%b %b F %b" % (at, stream, text)


def parse_line(text: str) -> LogLine:
    """The line again, with or without its newline. Raises ValueError for what is none."""
    parts = text.removesuffix("\n").split(" ", 3)
    if len(parts) < 4 or parts[1] not in STREAMS or parts[2] not in ("F", "P"):
        raise ValueError(f"is not a line of a log: {text[:80]!r}")
    return LogLine(parts[0], parts[3], parts[1])


def format_lines(lines: Iterable[LogLine]) -> str:
    """Many lines as text."""
    return "".join(map(format_line, lines))


def parse_lines(text: str) -> list[LogLine]:
    """The lines again. A carriage return or another line's end that is not ours belongs to the text."""
    return [parse_line(line) for line in text.split("\n") if line]


def pack_chunk(text: bytes) -> bytes:
    """A part of a log as it lies in the object store: the same text gives the same bytes."""
    return gzip.compress(text, PACK_LEVEL, mtime=0)


def unpack_chunk(body: bytes) -> str:
    """Its text again. Raises ValueError if it is torn or not one."""
    try:
        return gzip.decompress(body).decode()
    except (OSError, EOFError) as error:
        raise ValueError(f"is not a part of a log: {error}") from error


def text_bytes(lines: Sequence[LogLine]) -> int:
    """How many bytes the lines take as text: what limits count."""
    return len(format_lines(lines).encode())
