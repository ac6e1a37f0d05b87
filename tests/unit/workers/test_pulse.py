"""When a host was last heard, over restarts of its processes."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from workers import clock
from workers.agent import pulse
from workers.agent.pulse import Pulse
from workers.clock import booted_ms


@pytest.fixture
def now(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    now = [1000.0]
    monkeypatch.setattr(clock, "elapsed", lambda: now[0])
    return now


def test_silence_counts_from_the_heartbeat_that_was_answered(tmp_path: Path, now: list[float]) -> None:
    first = Pulse(tmp_path)
    now[0] += 5
    assert first.silence_s() == 5, "since this process began, if nothing is known"
    first.beat(1003.0)
    assert first.silence_s() == 2


def test_another_process_knows_it_too(tmp_path: Path, now: list[float]) -> None:
    Pulse(tmp_path).beat(1000.0)
    now[0] += 100
    assert Pulse(tmp_path).silence_s() == 100


def test_a_reboot_forgets_it(tmp_path: Path, now: list[float], monkeypatch: pytest.MonkeyPatch) -> None:
    Pulse(tmp_path).beat(1000.0)
    boot = tmp_path / "boot"
    boot.write_text("another")
    monkeypatch.setattr(pulse, "BOOT_ID", boot)
    now[0] = 20.0
    assert Pulse(tmp_path).silence_s() == 0


def test_a_disk_that_cannot_be_written_costs_the_process_nothing(tmp_path: Path, now: list[float]) -> None:
    heard = Pulse(tmp_path / "nowhere")
    now[0] += 50
    heard.beat(1049.0)
    assert heard.silence_s() == 1


def test_a_record_is_written_over_in_place(tmp_path: Path, now: list[float]) -> None:
    heard = Pulse(tmp_path)
    heard.beat(1000.0)
    before = (tmp_path / "pulse").stat()
    heard.beat(999_999_999.0)
    after = (tmp_path / "pulse").stat()
    assert (after.st_ino, after.st_size) == (before.st_ino, before.st_size), "no room is needed for it"


def test_when_the_machine_started() -> None:
    assert 0 < booted_ms() < time.time() * 1000
