"""What Flower shows of a worker beside Celery's own figures: which host it is of, and what that offers.

Flower 2.2 lists workers by name only, so a worker's name says it, too: `gpu-01@4xv100s` (workers/commands.py). The
figures of the moment stand on the worker's page, under Other.
"""

from __future__ import annotations

import socket
from typing import Any

from celery import bootsteps

from aitrain.broker import CONTROL_QUEUE
from aitrain.domain.errors import AitrainError
from aitrain.settings import Settings
from workers.machine import Machine


def offer_name(settings: Settings) -> str:
    """What a host offers, for its worker's name: "4xv100s.8xcpu"; "nvml" stands for GPUs that its driver lists."""
    declared = [f"{len(ids)}x{flavor}" for flavor, ids in settings.host.unit_ids.items()]
    return ".".join([*declared, *(["nvml"] if settings.host.inventory == "nvml" else [])]) or "nothing"


def host_info(machine: Machine) -> dict[str, str]:
    """The host as it stands: flavor, units, those that are free, and its jobs."""
    name = machine.settings.host.name
    shown = {"host": name, "machine": socket.gethostname()}
    try:
        found = machine.store.host_views([name])
    except AitrainError:
        return {**shown, "units": offer_name(machine.settings)}
    if not found:
        return {**shown, "units": "it has not joined: its agent does not run"}
    host = found[0]
    units = ", ".join(f"{len(one.units)} x {one.flavor} ({one.free} free)" for one in host.flavors)
    return {**shown, "units": units or "nothing", "jobs": f"{len(host.jobs)} of {host.max_jobs}"}


def about_this_worker(machine: Machine) -> type[bootsteps.StartStopStep]:
    """A part of the worker that does nothing but tell of it when it is asked (`celery inspect stats`, which Flower
    sends).
    """

    class About(bootsteps.StartStopStep):  # type: ignore[misc]  # celery has no types
        def info(self, worker: Any) -> dict[str, str]:
            """What is told."""
            if CONTROL_QUEUE in worker.app.amqp.queues.consume_from:
                return {"role": "control worker: placement, sweeps, billing"}
            return host_info(machine)

    return About
