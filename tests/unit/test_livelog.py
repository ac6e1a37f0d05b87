"""The log of a job that is watched: told to its end, or what is left is said."""

from __future__ import annotations

import time
from collections.abc import Iterator
from threading import Event
from typing import Any, cast

import pytest

from aitrain.cli import livelog
from aitrain.cli.livelog import LiveLog
from aitrain.client import Client
from aitrain.domain.logs import LogLine

LINES, PAUSE_SECONDS = 60, 0.02


class Slow:
    """A client whose log comes line by line, for longer than silence is borne, and ends when it may."""

    def __init__(self) -> None:
        self.may_end = Event()

    def logs(self, _: str, **__: Any) -> Iterator[LogLine]:
        for number in range(LINES):
            time.sleep(PAUSE_SECONDS)
            yield LogLine("2026-01-01T00:00:00Z", str(number))
        self.may_end.wait()


@pytest.fixture
def slow(monkeypatch: pytest.MonkeyPatch) -> Slow:
    monkeypatch.setattr(livelog, "SILENT_SECONDS", LINES * PAUSE_SECONDS / 1.2)
    return Slow()


def told_at_the_end(slow: Slow, capsys: pytest.CaptureFixture[str]) -> str:
    log = LiveLog(cast(Client, slow), "some-job", None)
    log.begin(2, live=True)
    log.wait()
    log.end()
    said = capsys.readouterr()
    assert said.out.splitlines() == [f"| {number}" for number in range(LINES)]
    return said.err


def test_all_lines_are_told_however_long_they_take(slow: Slow, capsys: pytest.CaptureFixture[str]) -> None:
    slow.may_end.set()
    assert told_at_the_end(slow, capsys) == ""


def test_a_log_that_falls_silent_before_its_end_is_left_loudly(slow: Slow, capsys: pytest.CaptureFixture[str]) -> None:
    said = told_at_the_end(slow, capsys)
    assert "not at its end: aitrain job logs some-job --attempt 2 shows all of it" in said
    slow.may_end.set()


def test_of_a_progress_bar_its_last_form_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    livelog._tell(LogLine("2026-01-01T00:00:00Z", " 10%\r 50%\r100%\r"))
    assert capsys.readouterr().out == "| 100%\n"


def test_a_log_that_is_not_shown_from_its_beginning_says_so(slow: Slow, capsys: pytest.CaptureFixture[str]) -> None:
    log = LiveLog(cast(Client, slow), "some-job", 20)
    log.begin(1, live=False)
    log.leave()
    slow.may_end.set()
    log.wait()
    said = "from the last 20 lines of its log on; aitrain job logs some-job --attempt 1 shows all of it"
    assert capsys.readouterr().err.splitlines() == [said]
