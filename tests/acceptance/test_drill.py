"""The drill as an operator orders it."""

from __future__ import annotations

import os
import re
import signal
import subprocess
from pathlib import Path

import pytest

from workers.drill.checks import Column
from workers.scratch.site import CLI

MOST_SECONDS = 170


def drill(*options: str, status: int) -> str:
    """Runs a drill to its end; what it printed."""
    done = subprocess.run([CLI, "drill", *options], capture_output=True, text=True, timeout=MOST_SECONDS, check=False)
    assert done.returncode == status, f"{done.returncode}\n{done.stdout}\n{done.stderr}"
    return done.stdout + done.stderr


def counts(said: str) -> dict[Column, int]:
    """The table."""
    return {column: int(found[1]) for column in Column if (found := re.search(rf"│ {column} +│ +(\d+) │", said))}


def test_a_drill_finds_every_promise_kept() -> None:
    said = drill("--jobs", "16", "--seed", "5", "--minutes", "2", status=0)
    assert counts(said) == dict.fromkeys(Column, 0)
    assert "seed 5: 16 jobs" in said


def test_a_drill_finds_what_was_broken_on_purpose() -> None:
    said = drill(
        "--jobs", "8", "--seed", "5", "--minutes", "2", "--faults", "none", "--plant", "results-unpushed", status=1
    )
    broken = counts(said)
    assert broken.pop(Column.RESULTS) > 0
    assert broken == dict.fromkeys(broken, 0)
    assert "results missing or altered: " in said


def test_a_drill_that_is_interrupted_leaves_nothing(tmp_path: Path) -> None:
    with subprocess.Popen(
        [CLI, "drill", "--jobs", "16", "--seed", "1", "--keep"],
        stdout=subprocess.PIPE, text=True, env={**os.environ, "TMPDIR": str(tmp_path)},
    ) as process:  # fmt: skip
        assert process.stdout is not None
        for line in process.stdout:
            if " for " in line:  # the first fault
                process.send_signal(signal.SIGINT)
        assert process.wait() == 130
    commands = [path.read_bytes() for path in Path("/proc").glob("[0-9]*/cmdline")]
    assert not [command for command in commands if str(tmp_path).encode() in command]
    assert str(tmp_path) not in Path("/proc/mounts").read_text()
    assert not list(Path("/run/netns").glob(f"aitrain-{process.pid}-*"))
    assert list(tmp_path.glob("aitrain-drill-*/worker-h1.log")), "its logs are kept"


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--faults", "earthquake"], ["faults", "'earthquake'", "redis-killed"]),
        (["--plant", "weeds"], ["plant", "'weeds'", "fence-unchecked"]),
        (["--jobs", "0"], ["jobs", "at least 1"]),
        (["--minutes", "0"], ["minutes"]),
    ],
)
def test_an_order_that_makes_no_sense_is_told(options: list[str], words: list[str]) -> None:
    said = drill(*options, status=2)
    assert all(word in said for word in words), said
    assert "Traceback" not in said
