"""Programs that work on what nobody vouches for: their identity, their limits, their end."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from aitrain.domain.errors import StepCancelled
from workers.datasync.program import COMPLAINT_BYTES, Bounds, Ended, run_program


class Given:
    """A shell command of a test, and what it wrote."""

    def __init__(self, script: str, *, seconds: float = 30, stop_after: float = 60) -> None:
        self.output = bytearray()
        self.began = time.monotonic()
        self._script, self._seconds, self._stop_after = script, seconds, stop_after

    def run(self) -> Ended:
        return run_program(
            ["sh", "-c", self._script], cwd=Path("/"), env={"PATH": "/usr/bin:/bin", "ONLY": "this"},
            owner=(42420, 42420), bounds=Bounds(256, 1, self.began + self._seconds), checkpoint=self._checkpoint,
            take=self.output.extend,
        )  # fmt: skip

    def _checkpoint(self) -> None:
        if self.took > self._stop_after:
            raise StepCancelled("stopped")

    @property
    def took(self) -> float:
        return time.monotonic() - self.began


def test_it_is_nobody_and_knows_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AITRAIN_SECRET", "hunter2")
    given = Given("id -u; id -G; env | grep -c hunter2; grep NoNewPrivs /proc/self/status; exit 7")
    assert given.run() == Ended(7, "")
    assert given.output.decode().split() == ["42420", "42420", "0", "NoNewPrivs:", "1"]


def test_what_it_started_ends_with_it() -> None:
    marker = "61.25"
    given = Given(f"sleep {marker} & echo started")
    assert given.run().code == 0
    assert given.output == b"started\n"
    assert given.took < 10, "a child that holds the output keeps nobody waiting"
    assert ends(marker)


def test_its_time_is_bounded() -> None:
    given = Given("echo begun >&2; sleep 62.25", seconds=1)
    assert given.run() == Ended(None, "begun\n")
    assert ends("62.25")


def test_a_stop_order_ends_it() -> None:
    given = Given("sleep 63.25 & sleep 63.25", stop_after=0.5)
    with pytest.raises(StepCancelled):
        given.run()
    assert given.took < 2.5
    assert ends("63.25")


def test_its_complaints_and_files_are_bounded() -> None:
    ended = Given("yes complaint | head -c 3000000 >&2; echo last words >&2").run()
    assert ended.complaint.endswith("last words\n")
    assert len(ended.complaint) == COMPLAINT_BYTES
    given = Given(
        "head -c 3000000 /dev/zero > /dev/shm/aitrain-$$; wc -c < /dev/shm/aitrain-$$; rm /dev/shm/aitrain-$$"
    )
    assert "File too large" in given.run().complaint
    assert int(given.output) == 1024**2


def ends(marker: str) -> bool:
    """Whether the processes whose command line has a marker end now: a kill takes a moment to take effect."""
    end = time.monotonic() + 5
    while sleepers(marker):
        if time.monotonic() > end:
            return False
        time.sleep(0.02)
    return True


def sleepers(marker: str) -> list[str]:
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if marker in (process / "cmdline").read_text().split("\0"):
                found.append(process.name)
        except OSError:
            continue
    return found
