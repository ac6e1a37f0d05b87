"""Runs both processes of a host, the worker and the agent, and starts again whichever ends.

In production they are two service units; this is for trying, developing and small sites.
"""

from __future__ import annotations

import logging
import signal
import subprocess
import threading
from collections.abc import Callable
from dataclasses import dataclass, field

from aitrain.settings import Settings
from workers import commands

log = logging.getLogger(__name__)

LOOK_SECONDS = 0.5
# Between a process' end and its next start, so that one that cannot start does not spin.
RESTART_SECONDS = 1.0


@dataclass
class Child:
    """A process that is to run as long as the host does."""

    name: str
    command: list[str]
    process: subprocess.Popen[bytes] | None = field(default=None)

    def start(self) -> None:
        """Starts it."""
        # Bound to this process: were it killed, a worker left behind would be a second one after the restart.
        self.process = subprocess.Popen(["setpriv", "--pdeathsig", "TERM", "--", *self.command])
        log.info("%s runs as process %d", self.name, self.process.pid)

    def keep(self, stopping: threading.Event) -> None:
        """Starts it again if it has ended."""
        if self.process is not None and self.process.poll() is not None:
            log.warning("%s ended with status %d and is started again", self.name, self.process.returncode)
            if not stopping.wait(RESTART_SECONDS):
                self.start()

    def end(self, impatient: Callable[[], bool]) -> None:
        """Ends it with SIGTERM and waits until it has; with SIGKILL once somebody is impatient."""
        if self.process is None:
            return
        self.process.terminate()
        while True:
            try:
                self.process.wait(LOOK_SECONDS)
            except subprocess.TimeoutExpired:
                if impatient():
                    self.process.kill()
            else:
                return


def run(settings: Settings) -> int:
    """Runs the host until SIGTERM or SIGINT; the exit status. A second signal does not wait for steps at work."""
    signals: list[None] = []
    stopping = threading.Event()

    def stop(*_: object) -> None:
        signals.append(None)
        stopping.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, stop)
    worker, agent = Child("worker", commands.worker(settings)), Child("agent", commands.agent())
    for child in (worker, agent):
        child.start()
    while not stopping.wait(LOOK_SECONDS):
        for child in (worker, agent):
            child.keep(stopping)
    # The agent goes last: while the worker finishes its steps, the host's lease, its orders and its exits go on.
    for child in (worker, agent):
        child.end(impatient=lambda: len(signals) > 1)
    return 0
