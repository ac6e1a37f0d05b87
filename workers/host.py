"""Runs both processes of a host, the worker and the agent, and starts again whichever ends.

In production they are two service units; this is for trying, developing and small sites.
"""

from __future__ import annotations

import logging
import signal
import subprocess
import threading
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
        self.process = subprocess.Popen(self.command)
        log.info("%s runs as process %d", self.name, self.process.pid)

    def keep(self, stopping: threading.Event) -> None:
        """Starts it again if it has ended."""
        if self.process is not None and self.process.poll() is not None:
            log.warning("%s ended with status %d and is started again", self.name, self.process.returncode)
            if not stopping.wait(RESTART_SECONDS):
                self.start()

    def tell_to_stop(self) -> None:
        """Sends it SIGTERM."""
        if self.process is not None:
            self.process.terminate()

    def wait(self) -> None:
        """Waits until it has ended: the worker finishes the steps it is at."""
        if self.process is not None:
            self.process.wait()


def run(settings: Settings) -> int:
    """Runs the host until SIGTERM or SIGINT; the exit status."""
    stopping = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopping.set())
    children = [Child("worker", commands.worker(settings)), Child("agent", commands.agent())]
    for child in children:
        child.start()
    while not stopping.wait(LOOK_SECONDS):
        for child in children:
            child.keep(stopping)
    for child in children:
        child.tell_to_stop()
    for child in children:
        child.wait()
    return 0
