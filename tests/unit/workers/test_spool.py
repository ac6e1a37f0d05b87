"""The spool of a log: torn lines, restarts, segments, room."""

from __future__ import annotations

from pathlib import Path

import pytest

from workers.joblog.spool import Spool, SpoolBusy


def line(number: int) -> bytes:
    return b"2026-01-01T00:00:00.%09dZ stdout F line %d" % (number, number)


def locked(directory: Path, segment_bytes: int = 200, spool_bytes: int = 10**6) -> Spool:
    spool = Spool(directory, "job", "1.abc")
    spool.lock(project="p", segment_bytes=segment_bytes, spool_bytes=spool_bytes)
    return spool


def test_what_is_written_is_read_again_from_any_line(tmp_path: Path) -> None:
    spool = locked(tmp_path)
    for number in range(50):
        spool.append([line(number)])
    assert len(spool.segments()) > 5
    for first in (0, 1, 17, 49):
        assert spool.read(first, 10**6) == (first, [line(number) for number in range(first, 50)])
    spool.close()


def test_many_at_once_are_cut_into_segments_as_single_ones_are(tmp_path: Path) -> None:
    one, many = locked(tmp_path / "one"), locked(tmp_path / "many")
    for number in range(50):
        one.append([line(number)])
    many.append([line(number) for number in range(50)])
    assert [segment.first for segment in many.segments()] == [segment.first for segment in one.segments()]
    assert many.read(0, 10**6) == one.read(0, 10**6)
    one.close()
    many.close()


def test_a_torn_last_line_is_cut_away(tmp_path: Path) -> None:
    spool = locked(tmp_path, segment_bytes=10**6)
    spool.append([line(0), line(1)])
    spool.close()
    path = spool.segments()[-1].path
    path.write_bytes(path.read_bytes()[:-4])
    again = locked(tmp_path)
    assert again.next == 1
    again.append([line(1)])
    assert again.read(0, 10**6) == (0, [line(0), line(1)])
    again.close()


def test_only_one_writes(tmp_path: Path) -> None:
    spool = locked(tmp_path)
    with pytest.raises(SpoolBusy):
        locked(tmp_path)
    spool.close()
    locked(tmp_path).close()


def test_numbers_go_on_after_all_was_sent(tmp_path: Path) -> None:
    spool = locked(tmp_path)
    spool.append([line(number) for number in range(20)])
    for segment in spool.closed():
        spool.mark_sent(segment)
    spool.close()
    again = locked(tmp_path)
    assert (again.next, again.closed()) == (20, [])
    assert again.newest()[1] == [line(number) for number in range(20)], "a restart still finds what was sent"
    again.close()


def test_the_middle_goes_when_there_is_no_room(tmp_path: Path) -> None:
    spool = locked(tmp_path, spool_bytes=2000)
    for number in range(200):
        spool.append([line(number)])
    firsts = [segment.first for segment in spool.segments()]
    assert firsts[0] == 0
    assert firsts[-1] > 190
    assert sum(segment.path.stat().st_size for segment in spool.segments()) < 2500
    spool.close()
