"""Carries out what reconcile decided. Each action may be carried out twice without harm."""

from __future__ import annotations

import logging
import threading
import time

from aitrain.domain.errors import AitrainError
from aitrain.domain.states import STATES, EndCause, State
from aitrain.store import HostJob, Seen
from workers.about import about_job, carrying
from workers.agent.errands import Errands
from workers.agent.reconcile import Action, Do
from workers.agent.reports import Reports
from workers.clock import Instant
from workers.machine import Machine
from workers.runtime import Container
from workers.workspace import Workspace

log = logging.getLogger(__name__)

# The states in which a container is stopped by order, and what that makes of its end.
ORDERS = {State.INTERRUPTING: EndCause.STOPPED, State.TIMEOUT: EndCause.TIMED_OUT}


class Actor:
    """Acts for one host."""

    def __init__(self, machine: Machine) -> None:
        self._machine = machine
        self._errands = Errands()
        self._reports = Reports(machine, self._errands)
        self._stopping: set[str] = set()
        self._lock = threading.Lock()
        self._watched: dict[str, Container] = {}
        self._seen: dict[str, Seen] = {}
        self._orphans: dict[str, float] = {}

    def act(self, action: Action, checked: Instant) -> None:
        """Carries out one action. checked: a moment before the engine was asked."""
        match action:
            case Action(Do.WATCH, HostJob() as job, Container() as container):
                self._watch(job, container, checked)
            case Action(Do.ADOPT, HostJob() as job, Container() as container):
                self._reports.running(job, container)
                log.info("job %s: adopted its running container", job.job_id)
            case Action(Do.REPORT_EXIT, HostJob() as job, Container() as container):
                self._reports.exited(job, container)
            case Action(Do.REPORT_LOST, HostJob() as job) if not self._has_run(job):
                self._reports.lost(job)
            case Action(Do.NOTHING_RAN, HostJob() as job) if not self._has_run(job):
                self._reports.nothing_ran(job)
            case Action(Do.STOP, HostJob() as job, Container() as container):
                self._mark_order(job)
                self.stop(container)
            case Action(Do.ORPHAN, _, Container() as container):
                self._orphan(container)
            case Action(Do.REMOVE, _, Container() as container):
                log.info("removing container %s, which nobody wants", container.name)
                self._machine.engine.remove(container)

    def seen(self) -> list[Seen]:
        """How long each job was last seen running, by this machine's own clock."""
        with self._lock:
            return list(self._seen.values())

    def watched(self) -> list[Container]:
        """The containers that run and should."""
        with self._lock:
            return list(self._watched.values())

    def keep_only(self, container_ids: set[str]) -> None:
        """Forgets containers that the engine does not have running any more."""
        with self._lock:
            for gone in self._watched.keys() - container_ids:
                del self._watched[gone]
                self._seen.pop(gone, None)

    def resend(self, job: HostJob) -> None:
        """Sends the message of a step that went silent again, with those that follow it."""
        step = STATES[job.state].step
        if step is not None:
            with about_job(job.job_id, job.fence, step):
                log.info("job %s: %s went silent; its message is sent again", job.job_id, step)
                self._reports.send(step, job)

    def resend_copy(self, job: HostJob) -> None:
        """Sends the message of an order to copy a job's data again."""
        with about_job(job.job_id, job.fence):
            log.info("job %s: the copy of its data went silent; its message is sent again", job.job_id)
            self._reports.send_copy(job)

    def place_waiting(self) -> None:
        """Has waiting jobs placed soon."""
        self._errands.put("placement", self._machine.dispatcher.place_waiting)

    def stop(self, container: Container) -> None:
        """Stops a container in a thread of its own: it may take the whole grace period."""
        with self._lock:
            if container.id in self._stopping:
                return
            self._stopping.add(container.id)
        carrying(self._stop_now, container, name="stop").start()

    def _stop_now(self, container: Container) -> None:
        started = time.monotonic()
        grace_s = self._machine.settings.timing.stop_grace_seconds
        try:
            self._machine.engine.stop(container, grace_s)
            log.info("job %s: container stopped in %.1f s", container.job_id, time.monotonic() - started)
        except AitrainError as error:
            log.warning("job %s: its container could not be stopped, trying again: %s", container.job_id, error)
        finally:
            with self._lock:
                self._stopping.discard(container.id)

    def _mark_order(self, job: HostJob) -> None:
        cause = EndCause.EVICTED if job.evicting else ORDERS.get(job.state)
        if cause is not None:
            try:
                Workspace(self._machine.settings.host.data_dir, job.job_id, job.fence).mark_ordered(cause)
            except OSError as error:
                # It only matters to a store that forgets; a full disk must not keep the job from being stopped.
                log.warning("job %s: the order to stop it could not be noted: %s", job.job_id, error)

    def _orphan(self, container: Container) -> None:
        grace_s = self._machine.settings.timing.orphan_grace_seconds
        if container.id not in self._orphans:
            self._orphans[container.id] = time.monotonic()
            log.warning(
                "container %s is of job %s, which the store does not know; it is stopped and removed in %g s",
                container.name, container.job_id, grace_s,
            )  # fmt: skip
        if time.monotonic() - self._orphans[container.id] < grace_s:
            return
        if container.running:
            self.stop(container)
        else:
            self._machine.engine.remove(container)
            del self._orphans[container.id]

    def _has_run(self, job: HostJob) -> bool:
        """Asks the engine again: the container may have come to life after it was listed."""
        attempt = int(job.fence.partition(".")[0])
        container = self._machine.engine.of_attempt(job.job_id, attempt, job.fence)
        return container is not None and container.started_ms is not None

    def _watch(self, job: HostJob, container: Container, checked: Instant) -> None:
        ran_ms = self._machine.stopwatch.age_ms(container, checked)
        with self._lock:
            self._watched[container.id] = container
            self._seen[container.id] = Seen(job.job_id, job.fence, ran_ms)
