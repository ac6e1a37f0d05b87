"""Runs a program in a process of its own and says what it took."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

TIMEOUT_SECONDS = 600
# A small process between this one and the program: a program's peak memory is at least that of whoever starts it.
STARTER = """
import json, os, sys, time
began = time.monotonic()
pid = os.fork()
if pid == 0:
    os.dup2(2, 1)
    os.execvp(sys.argv[1], sys.argv[1:])
_, status, used = os.wait4(pid, 0)
print(json.dumps([os.waitstatus_to_exitcode(status), time.monotonic() - began, used.ru_utime + used.ru_stime,
                  used.ru_maxrss / 1024]))
"""


@dataclass(frozen=True)
class Taken:
    """What a run took. wall, cpu: seconds, of the clock and of the processors; memory: its peak in MiB."""

    wall: float
    cpu: float
    memory: float


def measured(command: Sequence[str], env: Mapping[str, str] | None = None) -> Taken:
    """Runs a command to its end.

    A command that is Python of ours writes `TOOK wall cpu` at its end, counted from when its modules are loaded: what
    it stands for loads them once in weeks.
    """
    done = subprocess.run(
        [sys.executable, "-S", "-E", "-c", STARTER, *command], env={**os.environ, **(env or {})}, check=False,
        capture_output=True, text=True, timeout=TIMEOUT_SECONDS,
    )  # fmt: skip
    if done.returncode or json.loads(done.stdout)[0]:
        raise RuntimeError(f"{list(command)} failed:\n{done.stderr[-3000:]}")
    _, wall, cpu, memory = json.loads(done.stdout)
    for line in done.stderr.splitlines():
        if line.startswith("TOOK "):
            wall, cpu = (float(word) for word in line.split()[1:])
    return Taken(wall, cpu, memory)
