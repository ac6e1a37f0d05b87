"""What could not be pushed is not removed before its time, whatever the clocks say."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest

from aitrain.store import Kept
from tests.unit.workers.test_workspace import filled
from workers import clock
from workers.retention import ASK_SECONDS, NOTE_SECONDS, Retention


class Asked:
    """A store that answers one thing."""

    def __init__(self, answer: Kept) -> None:
        self.answer = answer

    def expire_results(self, *_: Any, **__: Any) -> Kept:
        return self.answer


UNKNOWN = Asked(Kept(known=False, until_ms=None, expired=False))


def retention(store: Any, keep_s: int = 100) -> Retention:
    return Retention(store, keep_s)


@pytest.fixture
def machine_clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The machine's own clock, in a list, so that it can be moved."""
    now = [1000.0]
    monkeypatch.setattr(clock, "elapsed", lambda: now[0])
    return now


@pytest.mark.parametrize("expired", [True, False])
def test_of_a_known_job_the_store_decides(tmp_path: Path, expired: bool) -> None:
    assert retention(Asked(Kept(known=True, until_ms=1, expired=expired))).is_past(filled(tmp_path)) == expired


def test_of_an_unknown_one_the_time_that_was_seen_to_pass(tmp_path: Path, machine_clock: list[float]) -> None:
    workspace, watch = filled(tmp_path), retention(UNKNOWN)
    for _ in range(10):
        assert not watch.is_past(workspace)
        machine_clock[0] += 10
    assert watch.is_past(workspace)


def test_a_clock_that_is_set_forward_costs_nothing(
    tmp_path: Path, machine_clock: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    workspace, watch = filled(tmp_path), retention(UNKNOWN)
    assert not watch.is_past(workspace)
    monkeypatch.setattr(time, "time", lambda: 10.0**12)
    machine_clock[0] += 1
    assert not watch.is_past(workspace)


def test_a_restart_forgets_little(tmp_path: Path, machine_clock: list[float]) -> None:
    workspace, watch = filled(tmp_path), retention(UNKNOWN)
    watch.is_past(workspace)
    machine_clock[0] += NOTE_SECONDS + 30
    assert not watch.is_past(workspace)
    anew = retention(UNKNOWN)
    assert not anew.is_past(workspace)
    machine_clock[0] += 10
    assert anew.is_past(workspace)


def test_a_job_that_is_known_again_is_counted_anew(tmp_path: Path, machine_clock: list[float]) -> None:
    workspace, watch = filled(tmp_path), retention(UNKNOWN)
    watch.is_past(workspace)
    machine_clock[0] += 90
    watch.is_past(workspace)
    watch.store = Asked(Kept(known=True, until_ms=None, expired=False))  # type: ignore[assignment]
    assert not watch.is_past(workspace)
    watch.store = UNKNOWN  # type: ignore[assignment]
    machine_clock[0] += ASK_SECONDS
    assert not watch.is_past(workspace)
    machine_clock[0] += 20
    assert not watch.is_past(workspace)


def test_the_store_is_not_asked_before_the_time(tmp_path: Path, machine_clock: list[float]) -> None:
    workspace, watch = filled(tmp_path), retention(Asked(Kept(known=True, until_ms=9, expired=False, left_ms=5000)))
    assert not watch.is_past(workspace)
    watch.store = Asked(Kept(known=True, until_ms=9, expired=True))  # type: ignore[assignment]
    machine_clock[0] += 4.9
    assert not watch.is_past(workspace)
    machine_clock[0] += 0.2
    assert watch.is_past(workspace)


def test_for_ever(tmp_path: Path, machine_clock: list[float]) -> None:
    workspace, watch = filled(tmp_path), retention(UNKNOWN, keep_s=0)
    watch.is_past(workspace)
    machine_clock[0] += 10**9
    assert not watch.is_past(workspace)
