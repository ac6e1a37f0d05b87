"""The agent of a host, put together from its loops."""

from __future__ import annotations

import logging
import signal
import threading

from aitrain.settings import Settings
from workers.agent.acting import Actor
from workers.agent.asks import Asks
from workers.agent.cleanup import CleanUp
from workers.agent.events import Events
from workers.agent.fencing import Fence
from workers.agent.gpus import GpuWatch
from workers.agent.heartbeat import Heartbeat
from workers.agent.inventory import Inventory
from workers.agent.logs import Logs, LogUploads
from workers.agent.looking import Reconcile
from workers.agent.loop import Loop
from workers.agent.pulse import Pulse
from workers.agent.timekeeping import TimeKeeper
from workers.agent.wellbeing import AgentWatch
from workers.machine import Machine
from workers.notify import READY, STOPPING, notify

log = logging.getLogger(__name__)


def run(settings: Settings) -> int:
    """Runs the agent until SIGTERM or SIGINT; the exit status. Its containers run on, and the next agent finds them."""
    machine = Machine(settings)
    stopping = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopping.set())
    actor = Actor(machine)
    reconcile = Reconcile(machine, stopping, actor)
    pulse = Pulse(settings.host.data_dir)
    inventory = Inventory(settings)
    heartbeat = Heartbeat(machine, stopping, actor, reconcile, pulse, inventory)
    asks = Asks(machine, stopping, reconcile)
    watch = [GpuWatch(machine, stopping, inventory, heartbeat, actor)] if inventory.to_be_looked_at else []
    loops: list[Loop] = [
        heartbeat,
        reconcile,
        Events(machine, stopping, reconcile),
        Logs(machine, stopping, actor),
        LogUploads(machine, stopping),
        CleanUp(machine, stopping),
        # Not before the store was asked once: a machine that was off for long may still have its jobs.
        Fence(machine, stopping, pulse, may_look=heartbeat.tried.is_set),
        TimeKeeper(machine, stopping, heartbeat.orders),
        asks,
        *watch,
    ]
    for loop in loops:
        loop.start()
    AgentWatch(machine, pulse, loops).start()
    notify(READY)
    stopping.wait()
    notify(STOPPING)
    asks.finish()
    machine.engine.interrupt_deaths()
    log.info("agent of %s stops; its containers run on", settings.host.name)
    return 0
