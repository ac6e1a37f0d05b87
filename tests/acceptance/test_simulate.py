"""`aitrain simulate` as an operator types it."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

from workers.scratch.site import CLI

FLEET = """
[[hosts]]
name = "gpu"
count = 2
units = { v100s = 4 }

[[events]]
at_s = 4000
host = "gpu-001"
what = "lost"
"""


def simulate(*arguments: str, status: int = 0, columns: int = 200) -> str:
    """What it printed."""
    env = {**os.environ, "COLUMNS": str(columns), "AITRAIN_REDIS_URL": "redis://127.0.0.1:1/0"}
    done = subprocess.run(
        [CLI, "simulate", *arguments], env=env, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == status, done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    return done.stdout if status == 0 else done.stderr


def test_a_fleet_is_sized_without_a_site(tmp_path: Path) -> None:
    fleet, jobs = tmp_path / "fleet.toml", tmp_path / "jobs.csv"
    # Given a fleet, a made-up list of jobs, and no site that could be reached
    fleet.write_text(FLEET)
    jobs.write_text(simulate("--sample", "12", "--seed", "7", "--days", "0.2"))

    compared = json.loads(
        simulate(str(fleet), str(jobs), "-o", "json", "--compare", "timing.placement_patience_seconds=0")
    )

    assert [run["policy"] for run in compared] == [{}, {"timing.placement_patience_seconds": "0"}]
    assert all(sum(run["total"]["ended"].values()) == run["jobs"] == 12 for run in compared)
    said = simulate(str(fleet), str(jobs), "--set", "timing.placement_patience_seconds=60", columns=80)
    assert "12 jobs; from the first submission to the last end" in said
    assert all(word in said for word in ("wait p99", "use", "cost, EUR", "longest queue", "vision", "slowdown"))
    assert "…" not in said, "nothing is cut off where the terminal is narrow"

    # When something is wrong with the files, it says where
    jobs.write_text("submitted_s,run_s\n0,soon\n")
    assert "jobs line 2: run_s: 'soon'" in simulate(str(fleet), str(jobs), status=2)
    assert "JOBS: is not given" in simulate(str(fleet), status=2)
