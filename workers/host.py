"""Runs both processes of a host, the worker and the agent, and starts again whichever ends. In production they are two
service units; this is for trying, developing and small sites. `python -m workers.host` runs it.
"""

from __future__ import annotations

import logging
import signal
import subprocess
import sys
import threading
from dataclasses import dataclass, field

from aitrain.domain.errors import AitrainError
from aitrain.settings import load_settings
from workers import commands
from workers.agent.inventory import check_inventory

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


def main() -> int:
    """Runs the host until SIGTERM or SIGINT; the exit status."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s host: %(message)s")
    try:
        settings = load_settings()
        check_inventory(settings)
    except AitrainError as error:
        log.error("%s", error)  # noqa: TRY400 - the message says it all
        return 2
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
        if child.process is not None:
            child.process.terminate()
    for child in children:
        if child.process is not None:
            child.process.wait()
    return 0


if __name__ == "__main__":
    sys.exit(main())
