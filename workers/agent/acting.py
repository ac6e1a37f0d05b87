"""Carries out what reconcile decided. Each action may be carried out twice without harm."""

from __future__ import annotations

import logging
import threading
import time

from aitrain.broker import host_queue
from aitrain.domain.errors import AitrainError
from aitrain.domain.states import STATES, EndCause, State, Step
from aitrain.store import HostJob, Seen
from workers.agent.errands import Errands
from workers.agent.reconcile import (
    Action,
    Adopt,
    NothingRan,
    Remove,
    ReportExit,
    ReportLost,
    Stop,
    Watch,
)
from workers.ledger import unwritten_rows
from workers.machine import Machine
from workers.runtime import Container
from workers.workspace import Workspace

log = logging.getLogger(__name__)

# What shells and init processes mean by these exit codes.
NOT_EXECUTABLE, NOT_FOUND = 126, 127


class Actor:
    """Acts for one host."""

    def __init__(self, machine: Machine) -> None:
        self._machine = machine
        self._host = machine.settings.host.name
        self._errands = Errands()
        self._stopping: set[str] = set()
        self._lock = threading.Lock()
        self._watched: dict[str, Container] = {}
        self._seen: dict[str, Seen] = {}

    def act(self, action: Action, checked_ms: int) -> None:
        """Carries out one action. checked_ms: Unix time, ms, before the engine was asked."""
        match action:
            case Watch(job, container):
                self._watch(job, container, checked_ms)
            case Adopt(job, container):
                self._running(job, container)
                log.info("job %s: adopted its running container", job.job_id)
            case ReportExit(job, container):
                self._report_exit(job, container)
            case ReportLost(job) if not self._has_run(job):
                self._finalize(job, EndCause.CONTAINER_LOST, "its container is gone from the engine", {}, None)
            case Stop(container):
                self._stop(container)
            case NothingRan(job) if not self._has_run(job):
                self._nothing_ran(job)
            case Remove(container):
                log.info("removing container %s, which nobody wants", container.name)
                self._machine.engine.remove(container)

    def seen(self) -> list[Seen]:
        """How long each job was last seen running, by the engine's clock."""
        with self._lock:
            return list(self._seen.values())

    def watched(self) -> list[Container]:
        """The containers that run and should."""
        with self._lock:
            return list(self._watched.values())

    def keep_only(self, container_ids: set[str]) -> None:
        """Forgets containers that the engine does not list as wanted any more."""
        with self._lock:
            for gone in self._watched.keys() - container_ids:
                del self._watched[gone]
                self._seen.pop(gone, None)

    def resend(self, job: HostJob) -> None:
        """Sends the message of a step that went silent again, with those that follow it."""
        step = STATES[job.state].step
        if step is not None:
            log.info("job %s: %s went silent; its message is sent again", job.job_id, step)
            self._send(step, job)

    def _has_run(self, job: HostJob) -> bool:
        """Asks the engine again: the container may have come to life after it was listed."""
        attempt = int(job.fence.partition(".")[0])
        container = self._machine.engine.of_attempt(job.job_id, attempt, job.fence)
        return container is not None and container.started_ms is not None

    def _watch(self, job: HostJob, container: Container, checked_ms: int) -> None:
        with self._lock:
            self._watched[container.id] = container
            ran_ms = checked_ms - (container.started_ms or checked_ms)
            self._seen[container.id] = Seen(job.job_id, job.fence, max(0, ran_ms))

    def _running(self, job: HostJob, container: Container) -> None:
        self._machine.store.transition(
            job.job_id,
            job.fence,
            State.RUNNING,
            fields={"started_ms": container.started_ms or 0, "image_id": container.image_id},
        )

    def _report_exit(self, job: HostJob, container: Container) -> None:
        if job.state is State.PENDING:
            self._running(job, container)
        code = container.exit_code or 0
        if code == 0:
            cause = EndCause.COMPLETED
        else:
            cause = EndCause.OUT_OF_MEMORY if container.out_of_memory else EndCause.EXIT_CODE
        fields: dict[str, str | int] = {
            "exit_code": code,
            "finished_ms": container.finished_ms or 0,
            "out_of_memory": int(container.out_of_memory),
        }
        ran_ms = (container.finished_ms or 0) - (container.started_ms or 0)
        self._finalize(job, cause, _message(cause, code), fields, ran_ms)

    def _finalize(
        self, job: HostJob, cause: EndCause, message: str, fields: dict[str, str | int], ran_ms: int | None
    ) -> None:
        """Moves a job whose container ended to FINALIZING, with its last minutes, and sends its sync_out.

        ran_ms: running time by the engine; None if only what was last seen is known.
        """
        held = self._machine.store.get(job.job_id)
        if held.fence != job.fence:
            return
        elapsed_ms = max(0, held.ran_ms if ran_ms is None else ran_ms)
        moved = self._machine.store.transition(
            job.job_id, job.fence, State.FINALIZING, cause=cause, message=held.message if held.end_cause else message,
            fields={**fields, "ran_ms": elapsed_ms}, rows=unwritten_rows(self._machine.settings, held, elapsed_ms),
        )  # fmt: skip
        if moved.moved:
            self._send(Step.SYNC_OUT, job)
            self._errands.put("placement", lambda: self._machine.dispatcher.after(moved, State.FINALIZING))

    def _nothing_ran(self, job: HostJob) -> None:
        workspace = Workspace(self._machine.settings.host.data_dir, job.job_id, job.fence)
        workspace.settle()
        moved = self._machine.store.transition(
            job.job_id, job.fence, State.INTERRUPTED, only_from=[State.INTERRUPTING], message="stopped before it ran"
        )
        if not moved.moved:
            workspace.unsettle()
            return
        self._errands.put("placement", lambda: self._machine.dispatcher.after(moved, State.INTERRUPTED))

    def _stop(self, container: Container) -> None:
        """Stops a container in a thread of its own: it may take the whole grace period."""
        with self._lock:
            if container.id in self._stopping:
                return
            self._stopping.add(container.id)
        threading.Thread(target=self._stop_now, args=(container,), name="stop", daemon=True).start()

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

    def place_waiting(self) -> None:
        """Has waiting jobs placed soon."""
        self._errands.put("placement", self._machine.dispatcher.place_waiting)

    def _send(self, step: Step, job: HostJob) -> None:
        """Has a step's message sent soon. If that fails the step stays due, and a later heartbeat sends it."""
        queue = host_queue(job.kind, job.flavor, self._host)
        broker = self._machine.broker
        self._errands.put(f"job {job.job_id}: {step}", lambda: broker.send_step(step, job.job_id, job.fence, queue))


def _message(cause: EndCause, code: int) -> str:
    if cause is EndCause.COMPLETED:
        return ""
    if cause is EndCause.OUT_OF_MEMORY:
        return "it was killed because it used more memory than its units bring: ask for more units, or use less"
    reason = {NOT_FOUND: ": its program is not in the image", NOT_EXECUTABLE: ": its program may not be executed"}
    return f"the command exited with {code}{reason.get(code, '')}; see its log"
