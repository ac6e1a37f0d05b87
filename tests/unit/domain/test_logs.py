"""Lines of logs as text, and where their parts lie."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aitrain.domain.logs import (
    STREAMS,
    LogLine,
    LogPlace,
    chunk_key,
    format_lines,
    log_place,
    pack_chunk,
    parse_line,
    parse_lines,
    unpack_chunk,
)  # fmt: skip

TEXTS = st.text(st.characters(exclude_characters="\n", exclude_categories=("Cs",)))


@given(st.lists(st.builds(LogLine, st.just("2026-11-29T05:00:00.1Z"), TEXTS, st.sampled_from(STREAMS))))
def test_lines_come_back_as_they_were(lines: list[LogLine]) -> None:
    assert parse_lines(unpack_chunk(pack_chunk(format_lines(lines).encode()))) == lines


@pytest.mark.parametrize("text", ["", "x", "t stdout F", "t nowhere F x"])
def test_what_is_no_line_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="not a line"):
        parse_line(text)


def test_a_torn_part_is_refused() -> None:
    with pytest.raises(ValueError, match="not a part"):
        unpack_chunk(pack_chunk(b"x" * 99)[:-9])


def test_places() -> None:
    assert log_place("logs@s3") == LogPlace("logs", "s3")
    assert str(log_place("logs@s3/a/b/")) == "logs@s3/a/b"
    assert chunk_key("a", "p", "j", 2, 17) == "a/p/j/2/000000000017.log.gz"
    assert chunk_key("", "p", "j", 2, 17) == "p/j/2/000000000017.log.gz"
    for wrong in ("logs", "LOGS@s3", "logs@/x", "logs@s3/../x"):
        with pytest.raises(ValueError, match=r"names|place"):
            log_place(wrong)
