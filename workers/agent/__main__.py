"""Runs the agent of this host until SIGTERM or SIGINT. Its containers run on, and the next agent finds them."""

from __future__ import annotations

import logging
import signal
import sys
import threading

from aitrain.domain.errors import AitrainError
from workers.agent.acting import Actor
from workers.agent.inventory import check_inventory
from workers.agent.loops import Events, Heartbeat, Logs, Reconcile
from workers.machine import Machine

log = logging.getLogger(__name__)


def main() -> int:
    """Runs the agent; the exit status."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s agent: %(message)s")
    try:
        machine = Machine()
        check_inventory(machine.settings)
    except AitrainError as error:
        log.error("%s", error)  # noqa: TRY400 - the message says it all
        return 2
    stopping = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopping.set())
    actor = Actor(machine)
    reconcile = Reconcile(machine, stopping, actor)
    heartbeat = Heartbeat(machine, stopping, actor, reconcile)
    for loop in (heartbeat, reconcile, Events(machine, stopping, reconcile), Logs(machine, stopping, actor)):
        loop.start()
    stopping.wait()
    machine.engine.interrupt_deaths()
    log.info("agent of %s stops; its containers run on", machine.settings.host.name)
    return 0


if __name__ == "__main__":
    sys.exit(main())
