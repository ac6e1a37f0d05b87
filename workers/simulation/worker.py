"""The simulated worker of a host: the four steps, each as long as the job list says, with the store's real verbs."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from aitrain.domain.job import Job
from aitrain.domain.retry import outcome
from aitrain.domain.states import EndCause, State, Step, state_of
from aitrain.store import Lease
from workers.simulation.engine import Command, SimulatedEngine
from workers.simulation.site import SimulatedMachine, Site
from workers.unrun import end_unrun


def ms(seconds: float) -> int:
    """Seconds as whole milliseconds."""
    return round(1000 * seconds)


class SimulatedWorker:
    """Takes messages and does their steps."""

    def __init__(
        self, site: Site, machine: SimulatedMachine, engine: SimulatedEngine, beat: Callable[[], None]
    ) -> None:
        """beat: the host's heartbeat, for a timeout that is reached."""
        self._site, self._machine, self._engine, self._beat = site, machine, engine, beat
        self._host = machine.settings.host.name
        self._up = True
        self._boot = 0
        self._open: dict[str, tuple[Step, str, str]] = {}

    def take(self, step: Step, job_id: str, fence: str) -> None:
        """Begins a step, if the job is where it belongs. A message to a host that is down waits in its queue."""
        self._open[fence] = (step, job_id, fence)
        if not self._up:
            return
        work_ms = self._work_ms(step, job_id)
        # Nobody else is at it, so that one lease for all of the work is the same as one that is renewed.
        ttl_ms = work_ms + ms(self._machine.settings.timing.step_lease_seconds)
        lease = Lease(job_id, fence, state_of(step), f"{self._host}/{fence}/{step}")
        begun = self._machine.store.begin_step(lease, ttl_ms, self._host, self._machine.instance)
        if begun.job is None:
            del self._open[fence]
            return
        job, boot = begun.job, self._boot

        def finish() -> None:
            if boot == self._boot:
                del self._open[fence]
                self._finish(step, lease, job)

        if work_ms:
            self._site.timeline.after(work_ms, finish)
        else:
            finish()

    def lose(self) -> None:
        """The machine goes down: what is at work comes to nothing."""
        self._up, self._boot = False, self._boot + 1

    def come_back(self) -> None:
        """The steps that were at work are taken up again, once their leases have lapsed and their messages came."""
        self._up = True
        timing = self._machine.settings.timing
        left, self._open = list(self._open.values()), {}
        pause_ms = ms(timing.step_lease_seconds + timing.message_grace_seconds)
        for message in left:
            self._site.timeline.after(pause_ms, partial(self.take, *message))

    def _work_ms(self, step: Step, job_id: str) -> int:
        listed = self._site.jobs[job_id]
        match step:
            case Step.SYNC_IN:
                return ms(listed.copy_in_s)
            case Step.START_CONTAINER:
                return ms(listed.start_s)
            case Step.SYNC_OUT:
                return ms(listed.copy_out_s)
        return 0

    def _finish(self, step: Step, lease: Lease, job: Job) -> None:
        store = self._machine.store
        match step:
            case Step.SYNC_IN:
                moved = store.transition(
                    lease.job_id, lease.fence, State.PENDING, only_from=[lease.state], holder=lease.holder
                )
                if moved.moved:
                    self.take(Step.START_CONTAINER, lease.job_id, lease.fence)
            case Step.START_CONTAINER:
                self._start(lease, job)
            case Step.MONITOR:
                store.hand_over(lease)
            case Step.SYNC_OUT:
                self._end(lease, job)

    def _start(self, lease: Lease, job: Job) -> None:
        store, listed = self._machine.store, self._site.jobs[lease.job_id]
        if listed.start_s and not store.renew_leases([lease], ms(self._machine.settings.timing.step_lease_seconds))[0]:
            self._give_up(lease)
            return
        if not store.set_fields(lease.job_id, lease.fence, {"starting": 1}):
            return
        command = Command(ms(listed.run_s), listed.exit_code)
        container = self._engine.run(lease.job_id, job.attempt, lease.fence, command)
        fields: dict[str, str | int] = {
            "started_ms": container.started_ms or 0, "image_id": container.image_id
        }  # fmt: skip
        moved = store.transition(
            lease.job_id, lease.fence, State.RUNNING, only_from=[lease.state], holder=lease.holder, fields=fields
        )
        if not moved.moved:
            return
        # The list's, or the site's where it names none.
        if 0 < job.timeout_s < listed.run_s:
            self._site.timeline.after(ms(job.timeout_s), self._beat)
        self.take(Step.MONITOR, lease.job_id, lease.fence)

    def _give_up(self, lease: Lease) -> None:
        """The job was evicted before anything of it ran."""
        moved = end_unrun(self._machine.store, lease.job_id, lease.fence, lease.holder)
        if moved is not None:
            self._machine.dispatcher.after(moved, State.INTERRUPTED)

    def _end(self, lease: Lease, job: Job) -> None:
        # Nobody stopped it while its results were pushed: what it was then, it still is.
        to = outcome(
            job, job.end_cause or EndCause.PLATFORM_FAULT, self._machine.settings.timing.pauses, message=job.message,
            exit_code=job.exit_code,
        )  # fmt: skip
        moved = self._machine.store.transition(
            job.id, lease.fence, to.state, only_from=[lease.state], holder=lease.holder, code=to.code,
            message=to.message, again=to.again, pause_ms=to.pause_ms,
        )  # fmt: skip
        if not moved.moved:
            return
        container = self._engine.of_attempt(job.id, job.attempt, lease.fence)
        if container is not None:
            self._engine.remove(container)
        if to.state is State.QUEUED:
            self._site.place_when_due(job.id)
        else:
            self._site.ended += 1
        self._machine.dispatcher.after(moved, to.state)
