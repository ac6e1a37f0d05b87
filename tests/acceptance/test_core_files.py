"""What a process of the fleet leaves behind when it is killed: not its memory, in which secrets were opened."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from tests.acceptance.conftest import eventually


def test_no_process_leaves_a_core_file(tmp_path: Path) -> None:
    """Nor does the program that it becomes."""
    schedule = str(tmp_path / "schedule")
    allowing = ["prlimit", "--core=unlimited", sys.executable, "-m", "workers", "beat", schedule]
    env = {**os.environ, "AITRAIN_REDIS_URL": "redis://127.0.0.1:1/0"}
    with subprocess.Popen(allowing, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        place = Path("/proc", str(process.pid))
        try:
            eventually(lambda: b"celery_command" in (place / "cmdline").read_bytes(), 30, "it became Celery's")
            (limit,) = [line for line in (place / "limits").read_text().splitlines() if "core file" in line]
            assert limit.split()[4:6] == ["0", "0"]
        finally:
            process.kill()
