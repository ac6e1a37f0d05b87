"""A look at GPUs, as far as it does not need a driver."""

from __future__ import annotations

import threading

import pytest

from workers.gpus import Gpu, Look, nvml


def test_a_driver_that_hangs_holds_nobody_up(monkeypatch: pytest.MonkeyPatch) -> None:
    well, mended, calls = Look((Gpu("0", "GPU-a", "NVIDIA H100", 81_559, 0),)), threading.Event(), []

    def hang() -> Look:
        calls.append("look")
        mended.wait(60)
        return well

    monkeypatch.setattr(nvml, "_look", hang)
    monkeypatch.setattr(nvml, "ANSWER_SECONDS", 0.05)
    for _ in range(2):
        assert "has not answered" in nvml.look().trouble
    assert calls == ["look"], "a second call is not sent after one that hangs"
    mended.set()
    monkeypatch.setattr(nvml, "ANSWER_SECONDS", 60)
    assert nvml.look() == well


def test_a_trouble_that_is_over_when_it_is_opened_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    looks = [Look(trouble="NVML: Unknown Error"), Look()]
    monkeypatch.setattr(nvml, "_look", lambda: looks.pop(0))
    assert nvml.look() == Look()
