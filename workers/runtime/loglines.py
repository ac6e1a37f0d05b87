"""The engine's stream of a log, taken apart: stdout and stderr told apart, long lines joined."""

from __future__ import annotations

import calendar
import time
from collections.abc import Iterator
from http import HTTPStatus
from typing import Any

from aitrain.domain.logs import STDERR, STDOUT, raw_line
from workers.runtime.httpbody import body_blocks

HEADER_BYTES = 8
OUT, ERR = STDOUT.encode(), STDERR.encode()
STREAM_OF = {1: OUT, 2: ERR}
# The engine splits lines at this.
PIECE_BYTES = 16 * 1024
# Joined again they are no longer than this. What a line has beyond stays in the engine's pieces: a progress bar that
# never ends its line is seen sooner, and the later pieces are the same whether the engine still has the begin or not.
LINE_BYTES = 4 * PIECE_BYTES
CONNECT_SECONDS = 10


def log_lines(api: Any, container_id: str, since: str, idle_seconds: float | None) -> Iterator[list[bytes]]:
    """The lines from `since` on as raw_line makes them, as many at a time as have come; nothing if the container is
    gone. Raises what the SDK raises, and OSError.
    """
    query = {"stdout": 1, "stderr": 1, "timestamps": 1, "follow": int(idle_seconds is not None), "since": _unix(since)}
    wait_s = api.timeout if idle_seconds is None else idle_seconds
    url = api._url("/containers/{0}/logs", container_id)
    response = api._get(url, params=query, stream=True, timeout=(CONNECT_SECONDS, wait_s))
    if response.status_code == HTTPStatus.NOT_FOUND:
        return
    api._raise_for_status(response)
    parts: dict[bytes, tuple[bytes, bytes]] = {}
    longer: set[bytes] = set()
    try:
        for frames in _frames(body_blocks(response)):
            if lines := _joined(frames, parts, longer):
                yield lines
    except TimeoutError:
        # That nothing came is the end that was asked for.
        if idle_seconds is None:
            raise
        return
    finally:
        response.close()
    # A container's last words may lack their newline.
    if parts:
        yield [raw_line(at, stream, _text(text)) for stream, (at, text) in parts.items()]


def _joined(
    frames: list[tuple[bytes, bytes]], parts: dict[bytes, tuple[bytes, bytes]], longer: set[bytes]
) -> list[bytes]:
    """Whole lines; what is begun stays in parts: its time and its text, by stream. longer: streams whose line is."""
    lines = []
    for stream, frame in frames:
        at, _, text = frame.partition(b" ")
        if stream in parts:
            at, begun = parts.pop(stream)
            text = begun + text
        ends = text.endswith(b"\n")
        if ends or stream in longer or len(text) >= LINE_BYTES:
            (longer.discard if ends else longer.add)(stream)
            lines.append(raw_line(at, stream, _text(text)))
        else:
            parts[stream] = at, text
    return lines


def _text(text: bytes) -> bytes:
    """Without its end, and what is not UTF-8 replaced."""
    text = text.removesuffix(b"\n").removesuffix(b"\r")
    return text if text.isascii() else text.decode(errors="replace").encode()


def _frames(blocks: Iterator[bytes]) -> Iterator[list[tuple[bytes, bytes]]]:
    """The engine's frames, stream and content, those of one block at a time."""
    held = b""
    for block in blocks:
        held += block
        frames, start = [], 0
        while len(held) - start >= HEADER_BYTES:
            begin = start + HEADER_BYTES
            end = begin + int.from_bytes(held[start + 4 : begin], "big")
            if end > len(held):
                break
            frames.append((STREAM_OF.get(held[start], OUT), held[begin:end]))
            start = end
        held = held[start:]
        yield frames


def _unix(at: str) -> str:
    """As the engine wants it, to the nanosecond."""
    if not at:
        return "0"
    seconds, _, fraction = at.rstrip("Z").partition(".")
    whole = calendar.timegm(time.strptime(seconds, "%Y-%m-%dT%H:%M:%S"))
    return f"{whole}.{fraction.ljust(9, '0')}"
