"""Looks at this host's GPUs: which there are, and which are fit for a job."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Collection, Sequence

from aitrain.store import HostJob
from workers.agent.acting import Actor
from workers.agent.heartbeat import Heartbeat
from workers.agent.inventory import Inventory, Stock
from workers.agent.loop import Loop
from workers.gpus import Look, health, look
from workers.gpus.health import Faults
from workers.gpus.offer import Offer, gpu_units
from workers.machine import Machine

log = logging.getLogger(__name__)

HEARTBEAT_POLL_SECONDS = 0.1
# What stands in the store may differ from what was told: a worker sets a GPU aside, too, and a store may forget.
TELL_AGAIN_SECONDS = 15.0


class GpuWatch(Loop):
    """Finds GPUs, and sets those aside that are not clean or not sound; they come back by themselves."""

    def __init__(
        self, machine: Machine, stopping: threading.Event, inventory: Inventory, heartbeat: Heartbeat, actor: Actor
    ) -> None:
        super().__init__(machine, stopping)
        self._inventory, self._heartbeat, self._actor = inventory, heartbeat, actor
        self._told: Faults | None = None
        self._tell_again_at = 0.0
        self._left_out: dict[str, str] = {}
        self._logged: Faults = {}

    def run_once(self) -> None:
        """One look."""
        before = self._heartbeat.orders()[1]
        looked = look()
        offered = self._inventory.found(looked)
        # A container that came to life before the look is of a job that was said to be starting before it did.
        jobs = [*before, *self._jobs_after(time.monotonic())]
        units = gpu_units(self.machine.settings, offered.units)
        faults = health.faults(units, looked, in_use(jobs), self.machine.settings.host)
        self._log(looked, offered, faults)
        self._inventory.stock = Stock(offered, faults)
        self._inventory.looked.set()
        self._tell(faults)
        self.stopping.wait(self.machine.settings.timing.gpu_look_seconds)

    def _jobs_after(self, moment: float) -> Sequence[HostJob]:
        """This host's jobs as they stood at some time after a monotonic one."""
        host = self.machine.settings.host.name
        if not self._inventory.looked.is_set():  # the heartbeat waits for the first look
            return self.machine.store.host_jobs(host, instance=self.machine.instance) or ()
        while self._heartbeat.orders()[0] < moment and not self.stopping.wait(HEARTBEAT_POLL_SECONDS):
            self.get_on()
        return self._heartbeat.orders()[1]

    def _tell(self, faults: Faults) -> None:
        if faults == self._told and time.monotonic() < self._tell_again_at:
            return
        host = self.machine.settings.host.name
        if self.machine.store.report_faults(host, instance=self.machine.instance, faults=faults):
            self._actor.place_waiting()
        self._told, self._tell_again_at = faults, time.monotonic() + TELL_AGAIN_SECONDS

    def _log(self, looked: Look, offered: Offer, faults: Faults) -> None:
        if offered.left_out != self._left_out:
            self._left_out = dict(offered.left_out)
            for uuid, why in self._left_out.items():
                log.warning("GPU %s is not offered: %s", uuid, why)
        if not self._inventory.looked.is_set() and looked.absent:
            log.info("there is no NVIDIA driver here: the GPUs of host.units are taken as they are")
        now, was = _flat(faults), _flat(self._logged)
        for name in sorted(now.keys() | was.keys()):
            if name not in now:
                log.info("GPU %s is fit again", name)
            elif now[name] != was.get(name):
                log.warning("GPU %s is set aside: %s", name, now[name])
        self._logged = faults


def in_use(jobs: Collection[HostJob]) -> set[tuple[str, str]]:
    """(flavor, unit) of jobs whose container may have been started."""
    return {(job.flavor, unit) for job in jobs if job.started or job.starting for unit in job.unit_ids}


def _flat(faults: Faults) -> dict[str, str]:
    return {f"{flavor}/{unit}": reason for flavor, of_units in faults.items() for unit, reason in of_units.items()}
