"""What a user waits for at each command: processor time until it has loaded what it needs and answered."""

from __future__ import annotations

import sys
from pathlib import Path

from aitrain import submit_job
from benchmarks.bench import Bench, figures
from benchmarks.measured import measured
from workers.scratch.site import CLI

ROUNDS = 10
PEER = "celery --help"


def run(bench: Bench) -> None:
    """Processor time of short commands and of the Python door, beside Python alone and the command line of Celery."""
    site = bench.site()
    with site.client() as client:
        job = submit_job("x", ["true"], gpu=1, name="waits-here", client=client)
    completing = {"_AITRAIN_COMPLETE": "complete_bash", "COMP_WORDS": "aitrain job get waits", "COMP_CWORD": "3"}
    contenders: dict[str, tuple[list[str], dict[str, str]]] = {
        "python -c pass": ([sys.executable, "-c", "pass"], {}),
        PEER: ([str(Path(sys.executable).parent / "celery"), "--help"], {}),
        "aitrain --help": ([CLI, "--help"], {}),
        "aitrain job --help": ([CLI, "job", "--help"], {}),
        "aitrain job list": ([CLI, "job", "list"], {}),
        "aitrain job get": ([CLI, "job", "get", job.id], {}),
        "completing a job's name": ([CLI], completing),
        "from aitrain import submit_job": ([sys.executable, "-c", "from aitrain import submit_job"], {}),
        "from celery import Celery, chain": ([sys.executable, "-c", "from celery import Celery, chain"], {}),
    }
    taken: dict[str, list[float]] = {name: [] for name in contenders}
    for _ in range(ROUNDS):
        for name, (command, env) in contenders.items():
            taken[name].append(measured(command, {**site.environment(), **env}).cpu)
    for name, seconds in taken.items():
        figures(name, [1000 * one for one in seconds], "ms")
    for name, seconds in taken.items():
        if name.startswith(("aitrain", "completing", "from aitrain")):
            figures(f"{name} / {PEER}", [a / b for a, b in zip(seconds, taken[PEER], strict=True)], "  ")
