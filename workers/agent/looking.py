"""Compares the store with the engine: when woken, when an order came, and every few seconds."""

from __future__ import annotations

import logging
import threading
from collections.abc import Sequence
from contextlib import nullcontext

from aitrain.domain.errors import AitrainError
from aitrain.domain.states import State
from aitrain.store import HostJob
from workers.about import about_job
from workers.agent.acting import Actor
from workers.agent.loop import PAUSE_AFTER_ERROR_SECONDS, Loop
from workers.agent.reconcile import Action, Do, reconcile
from workers.clock import Instant
from workers.machine import Machine
from workers.runtime import Container
from workers.runtime.faults import EngineUnavailable

log = logging.getLogger(__name__)


class Reconcile(Loop):
    """It does nothing until the host has joined: another machine of the same name must not touch that one's jobs."""

    def __init__(self, machine: Machine, stopping: threading.Event, actor: Actor) -> None:
        super().__init__(machine, stopping)
        self._actor = actor
        self.joined = threading.Event()
        self._wake = threading.Event()
        self._one_at_a_time = threading.Lock()
        self.engine_answers = True

    def wake(self) -> None:
        """Has it look now."""
        self._wake.set()

    def run_once(self) -> None:
        """One look at everything."""
        if not self.joined.wait(PAUSE_AFTER_ERROR_SECONDS):
            return
        self._wake.clear()
        self.look()
        self._wake.wait(self.machine.settings.timing.reconcile_seconds)

    def look(self) -> None:
        """Compares all there is, and acts."""
        with self._one_at_a_time:
            checked = self.machine.stopwatch.now()
            try:
                found = self.machine.engine.containers()
            except EngineUnavailable:
                self.engine_answers = False
                self._end_what_never_began()
                raise
            self.engine_answers = True
            # Read after the engine was listed: see reconcile().
            self._compare(found, "", checked)

    def look_at(self, container_id: str) -> None:
        """Compares one container that just ended, without listing the others."""
        if not self.joined.is_set():
            return
        with self._one_at_a_time:
            checked = self.machine.stopwatch.now()
            container = self.machine.engine.find(container_id)
            if container is not None:
                self._compare([container], container.job_id, checked)

    def _compare(self, found: list[Container], only: str, checked: Instant) -> None:
        wanted = self._wanted(only)
        if wanted is None:
            return
        for action in reconcile(wanted, found, self._known(found, wanted)):
            self._try(action, checked)
        if not only:
            self._actor.keep_only({container.id for container in found if container.running})

    def _wanted(self, only: str = "") -> Sequence[HostJob] | None:
        """This host's jobs; None if another machine has its name by now, and the jobs."""
        wanted = self.machine.store.host_jobs(self.machine.settings.host.name, only, instance=self.machine.instance)
        if wanted is None:
            self.joined.clear()
        return wanted

    def _known(self, found: list[Container], wanted: Sequence[HostJob]) -> set[str]:
        """Of the containers that are not of a wanted job: whose job does the store know?"""
        strangers = {container.job_id for container in found} - {job.job_id for job in wanted}
        return self.machine.store.existing(sorted(strangers)) if strangers else set()

    def _end_what_never_began(self) -> None:
        """A stop of a job that cannot have started does not wait for an engine that is away."""
        for job in self._wanted() or ():
            began = job.started or job.starting or job.lease_live
            if job.state is State.INTERRUPTING and not began:
                self._try(Action(Do.NOTHING_RAN, job), self.machine.stopwatch.now())

    def _try(self, action: Action, checked: Instant) -> None:
        """One action's failure must not keep the others from being done."""
        self.get_on()
        of = action.job or action.container
        with about_job(of.job_id, of.fence) if of else nullcontext():
            try:
                self._actor.act(action, checked)
            except AitrainError as error:
                log.warning("%s: %s", action.do.name, error)
            except Exception:
                log.exception("%s failed unforeseen", action.do.name)
