"""The body of an engine's answer, in pieces as large as have come."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

READ_BYTES = 32 * 1024
END_OF_LINE = b"\r\n"


def body_blocks(response: Any) -> Iterator[bytes]:
    """What has come of a streamed answer, again and again until it is over.

    The engine sends each line of a log in an HTTP chunk of its own, and the client library hands chunks out one by one,
    which costs more than all that is done with a line: here the chunks of one read of the connection are one block.
    Raises TimeoutError if nothing came for the request's read timeout, OSError if the engine breaks off.
    """
    source = response.raw._fp
    if source.fp is None:  # it has no body
        return
    if not source.chunked:
        while block := source.read1(READ_BYTES):
            yield block
        return
    held = b""
    while block := source.fp.read1(READ_BYTES):
        held += block
        chunks, end, over = _chunks(held)
        held = held[end:]
        if chunks:
            yield b"".join(chunks)
        if over:
            return
    raise ConnectionError("its answer broke off")


def _chunks(held: bytes) -> tuple[list[bytes], int, bool]:
    """The whole chunks, where what is behind them begins, and whether the last one is among them."""
    chunks: list[bytes] = []
    start = 0
    while (line_end := held.find(END_OF_LINE, start)) >= 0:
        size = int(held[start:line_end].partition(b";")[0], 16)
        begin = line_end + len(END_OF_LINE)
        end = begin + size
        if end + len(END_OF_LINE) > len(held):
            break
        if not size:
            return chunks, end, True
        chunks.append(held[begin:end])
        start = end + len(END_OF_LINE)
    return chunks, start, False
