"""The engine's stream of a log, taken apart: stdout and stderr told apart, long lines joined."""

from __future__ import annotations

import calendar
import time
from collections.abc import Iterator
from http import HTTPStatus
from typing import Any

from requests.exceptions import ConnectionError as Broken
from urllib3.exceptions import ReadTimeoutError

from aitrain.domain.logs import STDERR, STDOUT, LogLine

HEADER_BYTES = 8
STREAM_OF = {1: STDOUT, 2: STDERR}
# The engine splits lines at 16 KiB; joined again they are no longer than this.
LINE_BYTES = 64 * 1024
CONNECT_SECONDS = 10


def log_lines(api: Any, container_id: str, since: str, idle_seconds: float | None) -> Iterator[LogLine]:
    """The lines from `since` on; nothing if the container is gone. Raises what the SDK raises."""
    query = {"stdout": 1, "stderr": 1, "timestamps": 1, "follow": int(idle_seconds is not None), "since": _unix(since)}
    wait_s = api.timeout if idle_seconds is None else idle_seconds
    url = api._url("/containers/{0}/logs", container_id)
    response = api._get(url, params=query, stream=True, timeout=(CONNECT_SECONDS, wait_s))
    if response.status_code == HTTPStatus.NOT_FOUND:
        return
    api._raise_for_status(response)
    parts: dict[str, LogLine] = {}
    try:
        for stream, text in _frames(response.iter_content(None)):
            at, _, rest = text.partition(b" ")
            line = LogLine(at.decode(), rest.removesuffix(b"\n").removesuffix(b"\r").decode(errors="replace"), stream)
            begun = parts.pop(stream, None)
            if begun is not None:
                line = LogLine(begun.at, begun.text + line.text, stream)
            if rest.endswith(b"\n") or len(line.text) >= LINE_BYTES:
                yield line
            else:
                parts[stream] = line
    except Broken as error:
        # That nothing came is the end that was asked for.
        if idle_seconds is None or not isinstance(error.args[0] if error.args else None, ReadTimeoutError):
            raise
        return
    finally:
        response.close()
    # A container's last words may lack their newline.
    yield from parts.values()


def _frames(blocks: Iterator[bytes]) -> Iterator[tuple[str, bytes]]:
    held = b""
    for block in blocks:
        held += block
        start = 0
        while len(held) - start >= HEADER_BYTES:
            size = int.from_bytes(held[start + 4 : start + HEADER_BYTES], "big")
            end = start + HEADER_BYTES + size
            if end > len(held):
                break
            yield STREAM_OF.get(held[start], STDOUT), held[start + HEADER_BYTES : end]
            start = end
        held = held[start:]


def _unix(at: str) -> str:
    """As the engine wants it, to the nanosecond."""
    if not at:
        return "0"
    seconds, _, fraction = at.rstrip("Z").partition(".")
    whole = calendar.timegm(time.strptime(seconds, "%Y-%m-%dT%H:%M:%S"))
    return f"{whole}.{fraction.ljust(9, '0')}"
