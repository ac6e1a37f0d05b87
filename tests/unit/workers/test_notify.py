"""What systemd hears."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from workers.notify import ALIVE, READY, notify


def test_systemd_hears_it_by_the_socket_that_it_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.bind(str(tmp_path / "notify"))
        systemd.settimeout(5)
        monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
        notify(READY, "two\nlines")
        assert systemd.recv(100) == b"READY=1\nSTATUS=two lines"
        notify(ALIVE)
        assert systemd.recv(100) == b"WATCHDOG=1"


def test_an_abstract_socket_is_found_too(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    name = f"aitrain-test-{tmp_path.name}-{tmp_path.parent.name}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.bind("\0" + name)
        systemd.settimeout(5)
        monkeypatch.setenv("NOTIFY_SOCKET", "@" + name)
        notify(READY)
        assert systemd.recv(100) == b"READY=1"


@pytest.mark.parametrize("address", ["", "/nonexistent/notify"])
def test_without_systemd_nothing_happens(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NOTIFY_SOCKET", address)
    notify(READY)
