"""Tells the store what became of containers. Each report may be made twice without harm."""

from __future__ import annotations

from aitrain.broker import host_queue
from aitrain.domain.states import EndCause, State, Step
from aitrain.store import HostJob
from workers.agent.errands import Errands
from workers.agent.pulse import booted_ms
from workers.agent.verdict import end_cause, message
from workers.ledger import unwritten_rows
from workers.machine import Machine
from workers.runtime import Container
from workers.workspace import Workspace


class Reports:
    """The moves that a host's agent makes."""

    def __init__(self, machine: Machine, errands: Errands) -> None:
        self._machine, self._errands = machine, errands

    def running(self, job: HostJob, container: Container) -> None:
        """The container runs, or has run: the job is RUNNING, if it is not yet."""
        store = self._machine.store
        if job.state is State.INITIALIZING:
            store.transition(job.job_id, job.fence, State.PENDING)
        fields: dict[str, str | int] = {"started_ms": container.started_ms or 0, "image_id": container.image_id}
        store.transition(job.job_id, job.fence, State.RUNNING, only_from=[State.PENDING], fields=fields)

    def exited(self, job: HostJob, container: Container) -> None:
        """The container ended: the job goes to FINALIZING, with the engine's times and exit code."""
        if job.state in (State.INITIALIZING, State.PENDING):
            self.running(job, container)
        engine, code = self._machine.engine, container.exit_code or 0
        fenced = Workspace(self._machine.settings.host.data_dir, job.job_id, job.fence).fenced
        cause = end_cause(
            container,
            engine.ending(container),
            live_restore=engine.live_restore(),
            rebooted=(container.started_ms or 0) < booted_ms(),
            fenced=fenced,
        )
        fields: dict[str, str | int] = {
            "exit_code": code,
            "finished_ms": container.finished_ms or 0,
            "out_of_memory": int(container.out_of_memory),
        }
        ran_ms = (container.finished_ms or 0) - (container.started_ms or 0)
        self._finalize(job, cause, message(cause, code), fields, ran_ms)

    def lost(self, job: HostJob) -> None:
        """The container is gone from the engine: only what was last seen of its time is known."""
        self._finalize(job, EndCause.CONTAINER_LOST, "its container is gone from the engine", {}, None)

    def nothing_ran(self, job: HostJob) -> None:
        """The job was stopped before anything of it ran."""
        workspace = Workspace(self._machine.settings.host.data_dir, job.job_id, job.fence)
        workspace.settle()
        moved = self._machine.store.transition(
            job.job_id, job.fence, State.INTERRUPTED, only_from=[State.INTERRUPTING], message="stopped before it ran"
        )
        if not moved.moved:
            workspace.unsettle()
            return
        self._errands.put("placement", lambda: self._machine.dispatcher.after(moved, State.INTERRUPTED))

    def send(self, step: Step, job: HostJob) -> None:
        """Has a step's message sent soon. If that fails the step stays due, and a later heartbeat sends it."""
        queue = host_queue(job.kind, job.flavor, self._machine.settings.host.name)
        broker = self._machine.broker
        self._errands.put(f"job {job.job_id}: {step}", lambda: broker.send_step(step, job.job_id, job.fence, queue))

    def _finalize(
        self, job: HostJob, cause: EndCause, why: str, fields: dict[str, str | int], ran_ms: int | None
    ) -> None:
        """Moves a job whose container ended to FINALIZING, with its last minutes, and sends its sync_out.

        ran_ms: running time by the engine; None if only what was last seen is known.
        """
        held = self._machine.store.get(job.job_id)
        if held.fence != job.fence:
            return
        elapsed_ms = max(0, held.ran_ms if ran_ms is None else ran_ms)
        moved = self._machine.store.transition(
            job.job_id, job.fence, State.FINALIZING, cause=cause, message=held.message if held.end_cause else why,
            fields={**fields, "ran_ms": elapsed_ms}, rows=unwritten_rows(self._machine.settings, held, elapsed_ms),
        )  # fmt: skip
        if moved.moved:
            self.send(Step.SYNC_OUT, job)
            self._errands.put("placement", lambda: self._machine.dispatcher.after(moved, State.FINALIZING))
