"""Tells the store what became of containers. Each report may be made twice without harm."""

from __future__ import annotations

from aitrain.broker import host_queue
from aitrain.domain.states import CAUSES, EndCause, State, Step
from aitrain.store import HostJob
from workers.agent.errands import Errands
from workers.agent.verdict import end_cause, message
from workers.clock import booted_ms
from workers.gpus.offer import may_offer
from workers.machine import Machine
from workers.runtime import Container
from workers.unrun import end_unrun
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
        fields: dict[str, str | int] = {"started_ms": container.started_ms or 0, **self._image(container)}
        age_ms = self._machine.stopwatch.age_ms(container)
        store.transition(
            job.job_id, job.fence, State.RUNNING, only_from=[State.PENDING], fields=fields, age_ms=age_ms,
            ran_ms=age_ms if container.running else None,
        )  # fmt: skip

    def exited(self, job: HostJob, container: Container) -> None:
        """The container ended: the job goes to FINALIZING, with the engine's times and exit code."""
        if job.state in (State.INITIALIZING, State.PENDING):
            self.running(job, container)
        engine, code = self._machine.engine, container.exit_code or 0
        workspace = Workspace(self._machine.settings.host.data_dir, job.job_id, job.fence)
        cause = self._ordered(workspace, container) or end_cause(
            container,
            engine.ending(container),
            live_restore=engine.live_restore(),
            rebooted=(container.started_ms or 0) < booted_ms(),
            fenced=self._was_fenced(workspace, container),
        )
        if job.evicting and CAUSES[cause].platform:
            # It was to leave and was stopped, whoever did it: of a disk that is full the order could not be noted.
            cause = EndCause.EVICTED
        fields: dict[str, str | int] = {
            "exit_code": code,
            "finished_ms": container.finished_ms or 0,
            "out_of_memory": int(cause is EndCause.OUT_OF_MEMORY),
            # Of a job that was stopped before anybody could say that it ran, nothing is billed, but it did run.
            "started_ms": container.started_ms or 0,
            **self._image(container),
        }
        self._finalize(job, cause, message(cause, code), fields, container)

    def _image(self, container: Container) -> dict[str, str]:
        digest = self._machine.engine.image_digest(container)
        # An image that was removed meanwhile must not cost what is known of it.
        known = {"image_id": container.image_id, "egress": container.egress.value}
        return known | ({"image_digest": digest} if digest else {})

    @staticmethod
    def _ordered(workspace: Workspace, container: Container) -> EndCause | None:
        """By what order it was stopped, if it was. One that had ended by itself before it could be evicted was not."""
        cause = workspace.ordered
        too_late = (container.finished_ms or 0) < (workspace.ordered_ms or 0)
        return None if cause is EndCause.EVICTED and too_late else cause

    def _was_fenced(self, workspace: Workspace, container: Container) -> bool:
        """Whether this host stopped it to be safe. A stop that failed then says nothing of an end long after."""
        marked_ms = workspace.fenced_ms
        timing = self._machine.settings.timing
        slack_ms = 1000 * (timing.stop_grace_seconds + timing.host_lost_margin_seconds)
        return marked_ms is not None and (container.finished_ms or 0) <= marked_ms + slack_ms

    def lost(self, job: HostJob) -> None:
        """The container is gone from the engine: only what was last seen of its time is known.

        Unless this host has pushed the attempt's results: then the store went back in time, and the host remembers.
        """
        ended = Workspace(self._machine.settings.host.data_dir, job.job_id, job.fence).ended
        if ended is not None and ended.cause is not None:
            fields = {"exit_code": ended.exit_code, "started_ms": ended.started_ms, "finished_ms": ended.finished_ms}
            known: dict[str, str | int] = {name: value for name, value in fields.items() if value is not None}
            self._finalize(job, EndCause(ended.cause), ended.message, known, None, ended.ran_ms)
            return
        self._finalize(job, EndCause.CONTAINER_LOST, "its container is gone from the engine", {}, None)

    def nothing_ran(self, job: HostJob) -> None:
        """The job was stopped before anything of it ran."""
        workspace = Workspace(self._machine.settings.host.data_dir, job.job_id, job.fence)
        workspace.settle()
        moved = end_unrun(self._machine.store, job.job_id, job.fence)
        if moved is None:
            workspace.unsettle()
            return
        self._errands.put("placement", lambda: self._machine.dispatcher.after(moved, State.INTERRUPTED))

    def send(self, step: Step, job: HostJob) -> None:
        """Has a step's message sent soon. If that fails the step stays due, and a later heartbeat sends it."""
        broker, queue = self._machine.broker, self._queue(job)
        self._errands.put(
            f"job {job.job_id}: {step}", lambda: broker.send_step(step, job.job_id, job.fence, queue, job.project)
        )

    def send_copy(self, job: HostJob) -> None:
        """Has the message of an order to copy a job's data sent soon. If that fails, it comes due again."""
        broker, queue = self._machine.broker, self._queue(job)
        self._errands.put(
            f"job {job.job_id}: copy",
            lambda: broker.send_copy(job.job_id, job.fence, job.recopy, queue, job.project),
        )

    def _queue(self, job: HostJob) -> str:
        """A queue that this host's worker reads."""
        host = self._machine.settings.host
        # A job may outlast its host's offer of its flavor, whose queue the worker then does not read any more.
        offered = may_offer(self._machine.settings)
        flavor = job.flavor if job.flavor in offered else offered[0]
        return host_queue(self._machine.settings.flavors[flavor].kind, flavor, host.name)

    def _finalize(
        self,
        job: HostJob,
        cause: EndCause,
        why: str,
        fields: dict[str, str | int],
        container: Container | None,
        ran_ms: int | None = None,
    ) -> None:
        """Moves a job whose container ended to FINALIZING, with its last minutes, and sends its sync_out.

        container: None if it is gone, and only what was last seen is known of its time; ran_ms: unless it is this.
        """
        held = self._machine.store.get(job.job_id)
        if held.fence != job.fence:
            return
        if container is not None:
            ran_ms = self._machine.stopwatch.ran_ms(container, held.ran_ms)
        if held.end_cause or cause is EndCause.EVICTED:
            why = held.message or why
        moved = self._machine.store.transition(
            job.job_id, job.fence, State.FINALIZING, cause=cause, message=why,
            fields=fields, ran_ms=ran_ms,
        )  # fmt: skip
        if moved.moved:
            self.send(Step.SYNC_OUT, job)
            self._errands.put("placement", lambda: self._machine.dispatcher.after(moved, State.FINALIZING))
