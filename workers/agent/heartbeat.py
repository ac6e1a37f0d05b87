"""One call a second: renews the host's lease, tells how long jobs ran, brings back orders."""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from aitrain.domain.states import State
from aitrain.store import HostJob
from workers import clock
from workers.agent.acting import Actor
from workers.agent.inventory import Inventory
from workers.agent.looking import Reconcile
from workers.agent.loop import Loop
from workers.agent.pulse import Pulse
from workers.machine import Machine

log = logging.getLogger(__name__)

# A driver that must wake its GPUs takes seconds for each.
FIRST_LOOK_SECONDS = 20.0


class Heartbeat(Loop):
    """The agent's tie to the store."""

    def __init__(
        self,
        machine: Machine,
        stopping: threading.Event,
        actor: Actor,
        reconcile: Reconcile,
        pulse: Pulse,
        inventory: Inventory,
    ) -> None:
        super().__init__(machine, stopping)
        self._actor, self._reconcile, self._pulse, self._inventory = actor, reconcile, pulse, inventory
        self._joined = reconcile.joined
        self._offered: Mapping[str, Sequence[str]] = {}
        self._orders: tuple[float, Sequence[HostJob]] = (0.0, ())
        self._was_fit = False
        self.tried = threading.Event()

    def orders(self) -> tuple[float, Sequence[HostJob]]:
        """What the last heartbeat brought, and at what monotonic time it was asked."""
        return self._orders

    def run_once(self) -> None:
        """One heartbeat."""
        try:
            if not self._joined.is_set() or self._inventory.stock.offer.units != self._offered:
                self._join()
            self._beat()
        finally:
            self.tried.set()
        self.stopping.wait(self.machine.settings.timing.heartbeat_seconds)

    def _beat(self) -> None:
        timing, host = self.machine.settings.timing, self.machine.settings.host
        asked, beat_at, fit = time.monotonic(), clock.elapsed(), self._reconcile.engine_answers
        heard = self.machine.store.heartbeat(
            host.name,
            instance=self.machine.instance,
            fit=fit,
            seen=self._actor.seen(),
            timing=self.machine.host_timing,
            resend_ms=int(timing.message_grace_seconds * 1000),
            disk=_disk(host.data_dir),
        )
        if heard is None:
            self._joined.clear()
            return
        self._pulse.beat(beat_at)
        self._orders = asked, heard.jobs
        if heard.place or (fit and not self._was_fit):
            self._actor.place_waiting()
        self._was_fit = fit
        for job in heard.jobs:
            if job.resend:
                self._actor.resend(job)
            if job.recopy:
                self._actor.resend_copy(job)
        watched = {container.fence for container in self._actor.watched()}
        if any(self._wants_a_look(job, watched) for job in heard.jobs):
            self._reconcile.wake()

    @staticmethod
    def _wants_a_look(job: HostJob, watched: set[str]) -> bool:
        """It is to be stopped, or has just begun to run: its log is wanted."""
        return job.state in (State.INTERRUPTING, State.TIMEOUT) or (
            job.state is State.RUNNING and job.fence not in watched
        )

    def _join(self) -> None:
        """Registers the host with its units; jobs that waited for them are placed."""
        # A driver that says nothing must not keep a host from its jobs: it joins again when its GPUs are found.
        self._inventory.looked.wait(FIRST_LOOK_SECONDS)
        host, stock = self.machine.settings.host, self._inventory.stock
        awaited = self.machine.store.join_host(
            host.name,
            instance=self.machine.instance,
            units=stock.offer.units,
            max_jobs=host.most_jobs(stock.offer.count),
            timing=self.machine.host_timing,
            faults=stock.faults,
        )
        self.machine.store.tell_version(host.name, "agent", self.machine.version)
        self._offered = stock.offer.units
        self._joined.set()
        log.info("host %s joined with %s", host.name, stock.offer)
        if awaited:
            self._actor.place_waiting()


def _disk(data_dir: Path) -> tuple[int, int] | None:
    """Bytes that are free on the file system of a directory, and that it has; None if it cannot be looked at."""
    try:
        facts = os.statvfs(data_dir)
    except OSError:
        return None
    return facts.f_bavail * facts.f_frsize, facts.f_blocks * facts.f_frsize
