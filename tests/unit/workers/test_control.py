"""The files by which aitrain and a job talk. What the job writes is hostile until shown otherwise."""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime
from pathlib import Path

import pytest

from aitrain.domain.spec import MAX_TIMEOUT_S
from workers.control import Clock, Control

AT = datetime(2026, 11, 22, 14, 0, tzinfo=UTC)


@pytest.fixture
def control(tmp_path: Path) -> Control:
    control = Control(tmp_path / "attempt")
    control.make((os.geteuid(), os.getegid()))
    return control


def test_what_a_job_is_told(control: Control) -> None:
    control.tell(Clock(3600, AT, "granted"))
    told = json.loads((control.told / "timeout.json").read_text())
    assert told == {"timeout_seconds": 3600, "deadline": "2026-11-22T14:00:00Z", "asked": "granted"}
    before = (control.told / "timeout.json").stat().st_ino
    control.tell(Clock(3600, AT, "granted"))
    assert (control.told / "timeout.json").stat().st_ino == before, "no news is not written"
    control.tell(Clock(0, None))
    assert json.loads((control.told / "timeout.json").read_text())["deadline"] == ""


def test_a_warning_comes_once_and_goes_with_its_deadline(control: Control) -> None:
    assert not control.warned
    control.warn(AT)
    assert (control.told / "timeout_warning").read_text() == "2026-11-22T14:00:00Z\n"
    assert not control.warned, "a crash before the signal has it given again"
    control.warning_given()
    assert control.warned
    control.take_warning_back()
    assert not control.warned
    assert not (control.told / "timeout_warning").exists()
    control.take_warning_back()


@pytest.mark.parametrize(("text", "wanted"), [
    ("7200", 7200), (" 7200\n", 7200), ("0", None), ("-5", None), ("soon", None), ("", None), ("7" * 100, None),
    ("1e9", None), ("\u0661", None), (str(MAX_TIMEOUT_S), MAX_TIMEOUT_S), (str(MAX_TIMEOUT_S + 1), None),
])  # fmt: skip
def test_what_a_job_asks(control: Control, text: str, wanted: int | None) -> None:
    (control.asked / "timeout").write_text(text)
    assert control.wanted_timeout_s() == wanted


def test_what_is_no_plain_file_is_not_read(control: Control, tmp_path: Path) -> None:
    ask = control.asked / "timeout"
    secret = tmp_path / "secret"
    secret.write_text("4242")
    ask.symlink_to(secret)
    assert control.wanted_timeout_s() is None
    ask.unlink()
    os.mkfifo(ask)
    assert control.wanted_timeout_s() is None
    ask.unlink()
    ask.mkdir()
    assert control.wanted_timeout_s() is None
    ask.rmdir()
    assert control.wanted_timeout_s() is None
