"""The body of an engine's answer, however its chunks come."""

from __future__ import annotations

import io
from types import SimpleNamespace
from typing import Any

import pytest

from workers.runtime import httpbody
from workers.runtime.httpbody import body_blocks

PIECES = [b"one\n", b"\r\n" * 9, b"x" * 300, b"0"]
WHOLE = b"".join(b"%x;ext=1\r\n%b\r\n" % (len(piece), piece) for piece in PIECES) + b"0\r\n\r\n"


def answer(body: bytes) -> Any:
    return SimpleNamespace(raw=SimpleNamespace(_fp=SimpleNamespace(fp=io.BytesIO(body), chunked=True)))


@pytest.mark.parametrize("read_bytes", [1, 2, 7, 64, 10**6])
def test_chunks_come_whole_whatever_one_read_gives(read_bytes: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(httpbody, "READ_BYTES", read_bytes)
    assert b"".join(body_blocks(answer(WHOLE))) == b"".join(PIECES)


def test_one_that_breaks_off_is_no_end() -> None:
    with pytest.raises(ConnectionError, match="broke off"):
        list(body_blocks(answer(WHOLE[:-9])))


def test_one_without_a_body_is_empty() -> None:
    empty = SimpleNamespace(raw=SimpleNamespace(_fp=SimpleNamespace(fp=None, chunked=True)))
    assert list(body_blocks(empty)) == []
