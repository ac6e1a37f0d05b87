"""Containers are timed by a clock that nobody sets, whatever the other one does."""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workers import clock
from workers.clock import Instant
from workers.runtime import Container
from workers.runtime.processes import process_began_ms
from workers.stopwatch import PREPARATION_MS, Stopwatch, run_ms
from workers.workspace import Workspace

HOUR_MS = 3_600_000
BEGAN = Container("c" * 64, "n", "job", "1.a", True, None, None, None, out_of_memory=False, pid=7)


@dataclass
class Host:
    """A machine whose Unix clock is set back and forth while its own goes on, and an engine that reads the former."""

    data_dir: Path
    own: int = 5_000_000
    unix: int = 1_800_000_000_000
    boot: str = "first"
    kernel_is_seen: bool = True

    def __post_init__(self) -> None:
        self.process_ms: int | None = None
        self.container = BEGAN

    @property
    def stopwatch(self) -> Stopwatch:
        """As every process has one: nothing is remembered but what is on the disk."""
        return Stopwatch(
            self.data_dir,
            now=lambda: Instant(self.own, self.unix),
            boot=lambda: self.boot,
            process_began=lambda _: self.process_ms if self.kernel_is_seen else None,
        )

    def passes(self, ms: int) -> None:
        self.own, self.unix = self.own + ms, self.unix + ms

    def leaps(self, ms: int) -> None:
        self.unix += ms

    def starts(self) -> None:
        self.process_ms = self.own
        self.passes(200)
        self.container = replace(BEGAN, started_ms=self.unix)

    def ends(self) -> None:
        self.container = replace(self.container, running=False, finished_ms=self.unix, pid=0)


@pytest.fixture
def host(tmp_path: Path) -> Host:
    return Host(tmp_path)


@pytest.mark.parametrize("leap_ms", [0, HOUR_MS, -HOUR_MS, 30_000, -30_000])
@pytest.mark.parametrize("kernel_is_seen", [True, False])
def test_a_leap_while_it_runs_makes_no_minute_and_destroys_none(
    host: Host, leap_ms: int, *, kernel_is_seen: bool
) -> None:
    host.kernel_is_seen = kernel_is_seen
    host.starts()
    host.passes(100)
    assert host.stopwatch.age_ms(host.container) == 100
    host.passes(59_900)
    host.leaps(leap_ms)
    host.passes(60_000)
    assert host.stopwatch.age_ms(host.container) == 120_000
    host.passes(4000)
    host.ends()
    host.passes(2000)
    assert host.stopwatch.ran_ms(host.container, seen_ms=120_000) == 124_000


@pytest.mark.parametrize("leap_ms", [HOUR_MS, -HOUR_MS])
def test_a_leap_before_anybody_looked_is_seen_by_the_kernel(host: Host, leap_ms: int) -> None:
    host.starts()
    host.leaps(leap_ms)
    host.passes(60_000)
    assert 0 <= host.stopwatch.age_ms(host.container) - 60_000 <= PREPARATION_MS


@pytest.mark.parametrize("leap_ms", [HOUR_MS, -HOUR_MS])
def test_a_leap_after_the_end(host: Host, leap_ms: int) -> None:
    host.starts()
    host.stopwatch.age_ms(host.container)
    host.passes(90_000)
    host.ends()
    host.leaps(leap_ms)
    host.passes(1000)
    assert host.stopwatch.ran_ms(host.container, seen_ms=85_000) == 90_000


def test_one_that_nobody_saw_running_is_timed_by_its_engine(host: Host) -> None:
    host.starts()
    host.passes(100)
    host.ends()
    assert host.stopwatch.ran_ms(host.container, seen_ms=0) == 100
    host.passes(5000)
    assert host.stopwatch.age_ms(host.container) == 5100
    assert Workspace(host.data_dir, "job", "1.a").began == "", "nothing is noted of what has ended"


def test_the_time_for_which_a_machine_was_down_is_not_billed(host: Host) -> None:
    """Engines that find a container dead when they are up again say that it ended then."""
    host.starts()
    host.stopwatch.age_ms(host.container)
    host.passes(90_000)
    host.leaps(HOUR_MS)
    host.own, host.boot = 20_000, "second"
    host.ends()
    host.passes(1000)
    assert host.stopwatch.ran_ms(host.container, seen_ms=89_000) is None
    down = replace(host.container, finished_ms=(host.container.started_ms or 0) + 90_000)
    assert host.stopwatch.ran_ms(down, seen_ms=89_000) == 90_000, "it went down in an orderly way"


@given(
    engine_ms=st.integers(-(10**9), 10**9), leap_ms=st.integers(-(10**9), 10**9), seen_ms=st.integers(0, 10**8),
    since_ms=st.integers(0, 10**8),
)  # fmt: skip
def test_a_run_is_never_longer_than_since_it_began(engine_ms: int, leap_ms: int, seen_ms: int, since_ms: int) -> None:
    seen_ms = min(seen_ms, since_ms)
    assert seen_ms - 50 <= run_ms(engine_ms, leap_ms, seen_ms, since_ms) <= since_ms + 50


def test_a_disk_that_is_full_costs_no_time(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Workspace, "note_began", full)
    host.starts()
    host.passes(5000)
    assert host.stopwatch.age_ms(host.container) == 5000


def test_the_kernel_tells_when_a_process_began(tmp_path: Path) -> None:
    before = clock.now().own
    sleeper = subprocess.Popen(["/bin/sleep", "60"])
    try:
        after = clock.now().own
        # It is in no container: a proc that says otherwise.
        of_process = tmp_path / str(sleeper.pid)
        of_process.mkdir()
        (of_process / "stat").write_text(Path(f"/proc/{sleeper.pid}/stat").read_text())
        container = replace(BEGAN, pid=sleeper.pid)
        (of_process / "cgroup").write_text("0::/system.slice/other.scope\n")
        assert process_began_ms(container, tmp_path) is None
        (of_process / "cgroup").write_text(f"0::/system.slice/docker-{container.id}.scope\n")
        began = process_began_ms(container, tmp_path)
        tick_ms = 1000 // os.sysconf("SC_CLK_TCK")
        assert began is not None
        assert before - tick_ms <= began <= after
        assert process_began_ms(replace(container, pid=0), tmp_path) is None
    finally:
        sleeper.kill()
        sleeper.wait()
