"""The agent's loops, one duty each: looking, heartbeats, events, logs, cleaning up."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Sequence

from aitrain.domain.errors import AitrainError
from aitrain.domain.states import State
from aitrain.store import HostJob
from workers.agent.acting import Actor
from workers.agent.loop import PAUSE_AFTER_ERROR_SECONDS, Loop
from workers.agent.pulse import Pulse
from workers.agent.reconcile import Action, reconcile
from workers.joblog import keep_log
from workers.machine import Machine
from workers.runtime import Container
from workers.workspace import settled_workspaces, superseded, unsettled_attempts

log = logging.getLogger(__name__)


class Reconcile(Loop):
    """Compares the store with the engine: when woken, when an order came, and every few seconds.

    It does nothing until the host has joined: another machine of the same name must not touch that one's jobs.
    """

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
            checked_ms = int(time.time() * 1000)
            found = self._list()
            # Read after the engine was listed: see reconcile().
            wanted = self.machine.store.host_jobs(self.machine.settings.host.name)
            for action in reconcile(wanted, found, self._known(found, wanted)):
                self._try(action, checked_ms)
            self._actor.keep_only({container.id for container in found if container.running})

    def look_at(self, container_id: str) -> None:
        """Compares one container that just ended, without listing the others."""
        if not self.joined.is_set():
            return
        with self._one_at_a_time:
            checked_ms = int(time.time() * 1000)
            container = self.machine.engine.find(container_id)
            if container is None:
                return
            wanted = self.machine.store.host_jobs(self.machine.settings.host.name, container.job_id)
            for action in reconcile(wanted, [container], self._known([container], wanted)):
                self._try(action, checked_ms)

    def _list(self) -> list[Container]:
        """What the engine has; whether it answers is told with the heartbeats."""
        try:
            found = self.machine.engine.containers()
        except AitrainError:
            self.engine_answers = False
            raise
        self.engine_answers = True
        return found

    def _known(self, found: list[Container], wanted: list[HostJob]) -> set[str]:
        """Of the containers that are not of a wanted job: whose job does the store know?"""
        strangers = {container.job_id for container in found} - {job.job_id for job in wanted}
        return self.machine.store.existing(sorted(strangers)) if strangers else set()

    def _try(self, action: Action, checked_ms: int) -> None:
        """One action's failure must not keep the others from being done."""
        try:
            self._actor.act(action, checked_ms)
        except AitrainError as error:
            log.warning("%s: %s", type(action).__name__, error)
        except Exception:
            log.exception("%s failed unforeseen", type(action).__name__)


class CleanUp(Loop):
    """Removes workspaces that were to be removed and were not, and those of attempts that another one has made good.

    It may take long, so nothing waits for it.
    """

    def run_once(self) -> None:
        """Removes what there is."""
        host = self.machine.settings.host
        wanted = {job.fence for job in self.machine.store.host_jobs(host.name)}
        self._settle_superseded(wanted)
        for workspace in settled_workspaces(host.data_dir, wanted):
            workspace.remove()
        self.stopping.wait(self.machine.settings.timing.reconcile_seconds)

    def _settle_superseded(self, wanted: set[str]) -> None:
        """A host that was lost comes back with attempts that are over.

        What they had not pushed is needed no more once a later attempt is DONE, or if nothing of them ever ran. All
        else stays, and so does what is of a job that the store does not know.
        """
        left = [
            (job_id, fence, workspace)
            for job_id, fence, workspace in unsettled_attempts(self.machine.settings.host.data_dir)
            if fence not in wanted
        ]
        jobs = {job.id: job for job in self.machine.store.get_many(sorted({job_id for job_id, _, _ in left}))}
        for job_id, fence, workspace in left:
            job = jobs.get(job_id)
            if job is not None and superseded(job, fence):
                log.info("job %s: what attempt %s left here is needed no more", job_id, fence)
                workspace.settle()


class Heartbeat(Loop):
    """One call a second: renews the host's lease, tells how long jobs ran, brings back orders."""

    def __init__(
        self, machine: Machine, stopping: threading.Event, actor: Actor, reconcile: Reconcile, pulse: Pulse
    ) -> None:
        super().__init__(machine, stopping)
        self._actor, self._reconcile, self._pulse = actor, reconcile, pulse
        self._joined = reconcile.joined
        self._orders: tuple[float, Sequence[HostJob]] = (0.0, ())
        self._was_fit = False

    def orders(self) -> tuple[float, Sequence[HostJob]]:
        """What the last heartbeat brought, and at what monotonic time it was asked."""
        return self._orders

    def run_once(self) -> None:
        """One heartbeat."""
        if not self._joined.is_set():
            self._join()
        timing, host = self.machine.settings.timing, self.machine.settings.host
        asked, beat_at, fit = time.monotonic(), self._pulse.now(), self._reconcile.engine_answers
        jobs = self.machine.store.heartbeat(
            host.name,
            instance=self.machine.instance,
            fit=fit,
            seen=self._actor.seen(),
            ttl_ms=int(timing.host_lease_seconds * 1000),
            resend_ms=int(timing.message_grace_seconds * 1000),
        )
        if jobs is None:
            self._joined.clear()
        else:
            self._pulse.beat(beat_at)
            self._orders = asked, jobs
            if fit and not self._was_fit:
                self._actor.place_waiting()
            self._was_fit = fit
        for job in jobs or ():
            if job.resend:
                self._actor.resend(job)
        watched = {container.fence for container in self._actor.watched()}
        if any(self._wants_a_look(job, watched) for job in jobs or ()):
            self._reconcile.wake()
        self.stopping.wait(timing.heartbeat_seconds)

    @staticmethod
    def _wants_a_look(job: HostJob, watched: set[str]) -> bool:
        """It is to be stopped, or has just begun to run: its log is wanted."""
        return job.state in (State.INTERRUPTING, State.TIMEOUT) or (
            job.state is State.RUNNING and job.fence not in watched
        )

    def _join(self) -> None:
        """Registers the host with its units; jobs that waited for them are placed."""
        host = self.machine.settings.host
        awaited = self.machine.store.join_host(
            host.name,
            instance=self.machine.instance,
            units=host.unit_ids,
            max_jobs=host.jobs_at_once,
            ttl_ms=int(self.machine.settings.timing.host_lease_seconds * 1000),
        )
        self._joined.set()
        offered = ", ".join(f"{len(ids)} x {flavor}" for flavor, ids in host.unit_ids.items())
        log.info("host %s joined with %s", host.name, offered)
        if awaited:
            self._actor.place_waiting()


class Events(Loop):
    """Listens to the engine: a container that ends is dealt with at once."""

    def __init__(self, machine: Machine, stopping: threading.Event, reconcile: Reconcile) -> None:
        super().__init__(machine, stopping)
        self._reconcile = reconcile

    def run_once(self) -> None:
        """Listens until the engine breaks off; what happened before it listened, the full look finds."""
        self._reconcile.wake()
        for container_id in self.machine.engine.deaths():
            try:
                self._reconcile.look_at(container_id)
            except AitrainError as error:
                log.warning("Events: %s", error)
            if self.stopping.is_set():
                return
        self.stopping.wait(PAUSE_AFTER_ERROR_SECONDS)


class Logs(Loop):
    """Keeps what running containers write."""

    def __init__(self, machine: Machine, stopping: threading.Event, actor: Actor) -> None:
        super().__init__(machine, stopping)
        self._actor = actor

    def run_once(self) -> None:
        """Reads on in each."""
        for container in self._actor.watched():
            self._keep(container)
        self.stopping.wait(self.machine.settings.timing.log_poll_seconds)

    def _keep(self, container: Container) -> None:
        try:
            keep_log(self.machine.engine, self.machine.store, container, self.machine.settings.limits.log_bytes)
        except AitrainError as error:
            log.warning("job %s: its log was not read: %s", container.job_id, error)
        except Exception:
            log.exception("job %s: its log was not read", container.job_id)
