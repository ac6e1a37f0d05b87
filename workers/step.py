"""The frame of a step: takes the lease, runs the work, tells the store how it ended, and stops the chain if it must."""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Mapping
from contextlib import suppress
from functools import cached_property

from aitrain.domain.errors import JobFault, PlatformFault, StepCancelled, StoreUnavailable, Unavailable, UserFault
from aitrain.domain.flavor import Flavor
from aitrain.domain.job import Job, VolumeProgress
from aitrain.domain.states import CAUSES, EndCause, InfoCode, State, Step, state_of
from aitrain.domain.volume import Volume
from aitrain.store import Lease
from workers.datasync import VolumeSync
from workers.leases import Claim, LeaseKeeper
from workers.machine import Machine
from workers.workspace import Workspace

log = logging.getLogger(__name__)


class Run:
    """One delivery of one step, while it holds the lease on its work."""

    def __init__(self, machine: Machine, job: Job, claim: Claim) -> None:
        self.machine, self.job, self._claim = machine, job, claim

    @property
    def lease(self) -> Lease:
        """Its claim on the work."""
        return self._claim.lease

    @property
    def checkpoint(self) -> Callable[[], None]:
        """Raises StepCancelled if the job moved on."""
        return self._claim.checkpoint

    @cached_property
    def workspace(self) -> Workspace:
        """The attempt's place on this host's disk."""
        return Workspace(self.machine.settings.host.data_dir, self.job.id, self.job.fence)

    @property
    def flavor(self) -> Flavor:
        """What its units bring."""
        return self.machine.settings.flavors[self.job.flavor]

    def volumes(self) -> list[tuple[Volume, VolumeSync]]:
        """The job's volumes, each with what copies it."""
        host = self.machine.settings.host
        uid, _, gid = host.container_user.partition(":")
        progress = dict(self.job.progress)

        def reporter(mount_path: str) -> Callable[[VolumeProgress], None]:
            def report(now: VolumeProgress) -> None:
                progress[mount_path] = now
                with suppress(StoreUnavailable):  # the copy is worth more than news of it
                    self.machine.store.set_progress(self.job.id, self.job.fence, progress)

            return report

        return [
            (
                volume,
                VolumeSync(
                    volume,
                    self.machine.settings.data_stores,
                    self.workspace.volume(number),
                    owner=(int(uid), int(gid or uid)),
                    checkpoint=self.checkpoint,
                    report=reporter(volume.mount_path),
                ),
            )
            for number, volume in enumerate(self.job.spec.volumes)
        ]

    def move(
        self,
        to: State,
        *,
        code: InfoCode | None = None,
        message: str = "",
        cause: EndCause | None = None,
        fields: Mapping[str, str | int] | None = None,
        or_past: Collection[State] = (),
    ) -> None:
        """Moves the job on from this step's state.

        or_past: states in which the agent may have put it already, which is as good. Raises StepCancelled if it has
        moved elsewhere.
        """
        lease = self.lease
        moved = self.machine.store.transition(
            self.job.id, self.job.fence, to, only_from=[lease.state], holder=lease.holder,
            code=code, message=message, cause=cause, fields=fields,
        )  # fmt: skip
        if not moved.moved and not (moved.fence == self.job.fence and moved.state in or_past):
            raise StepCancelled(f"the job is {moved.state}")
        self.machine.dispatcher.after(moved, to)

    def end(self, to: State, *, code: InfoCode | None = None, message: str = "", cause: EndCause | None = None) -> None:
        """Moves a job that leaves nothing to push to its end, and removes its workspace.

        Raises StepCancelled if it has moved already; then the workspace stays.
        """
        self.checkpoint()
        self.workspace.settle()
        try:
            self.move(to, code=code, message=message, cause=cause)
        except StepCancelled:
            self.workspace.unsettle()
            raise
        self.workspace.remove()

    def may_have_started(self) -> bool:
        """Whether the container of this attempt has run, as far as the engine can say: then there are results."""
        try:
            container = self.machine.engine.of_attempt(self.job.id, self.job.attempt, self.job.fence)
        except (PlatformFault, Unavailable):
            return True
        return container is not None and container.started_ms is not None

    def hand_over(self) -> None:
        """Gives the RUNNING job to the agent. Raises StepCancelled if it has moved already."""
        if not self.machine.store.hand_over(self._claim.lease):
            raise StepCancelled("the job has moved on")


class Steps:
    """Runs steps in one worker."""

    def __init__(self, machine: Machine) -> None:
        self._machine = machine
        self._keeper = LeaseKeeper(machine.store, machine.settings.timing)

    def run(self, step: Step, work: Callable[[Run], None], job_id: str, fence: str) -> tuple[bool, str]:
        """Runs one step's work for one message.

        Returns whether the chain goes on, and a word on how it went, for Flower. Unavailable is let through: then
        nothing is known, the lease lapses, and the message is sent again.
        """
        state = state_of(step)
        lease = Lease(job_id, fence, state, self._keeper.holder())
        begun, job = self._machine.store.begin_step(
            lease, self._keeper.ttl_ms, self._machine.settings.host.name, self._machine.instance
        )
        if job is None:
            return False, f"late: the job is {begun.state}"
        with self._keeper.holding(lease) as claim:
            run = Run(self._machine, job, claim)
            try:
                work(run)
            except StepCancelled as late:
                self._machine.store.release_lease(lease)
                return False, f"given up: {late}"
            except Unavailable:
                raise
            except JobFault as fault:
                return self._fail(run, state, fault)
            except Exception as error:
                log.exception("job %s: %s failed unforeseen", job_id, step)
                message = f"{step}: {type(error).__name__}: {error}"
                return self._fail(run, state, JobFault(EndCause.PLATFORM_FAULT, InfoCode.JOB_ERROR, message))
        return step is not Step.MONITOR, "done"

    def _fail(self, run: Run, state: State, fault: JobFault) -> tuple[bool, str]:
        if state is State.PENDING and run.may_have_started():
            self._machine.store.release_lease(run.lease)
            return False, f"given up: {fault}; its container has run, and is the agent's"
        # After the run nothing may turn a platform's end into success, and results that could not be pushed are ours.
        pushing = state is State.FINALIZING
        to = State.FAILED if isinstance(fault, UserFault) and not pushing else State.ERROR
        code = InfoCode.JOB_SYNC_FAILED if pushing else fault.code
        log.warning("job %s ends %s: %s", run.job.id, to, fault)
        try:
            if pushing:
                run.workspace.unsettle()
                run.move(to, code=code, message=str(fault), cause=fault.cause)
            else:
                run.end(to, code=code, message=str(fault), cause=fault.cause)
        except StepCancelled as late:
            self._machine.store.release_lease(run.lease)
            return False, f"given up: {late}"
        return False, f"{to}: {code}"


def end_of(job: Job) -> tuple[State, InfoCode]:
    """The state and code in which a job ends whose data is pushed, from its cause; QUEUED if it is to run again."""
    row = CAUSES[job.end_cause or EndCause.PLATFORM_FAULT]
    if job.end_cause is EndCause.TIMED_OUT and job.auto_restart:
        return State.QUEUED, InfoCode.JOB_QUEUED
    return row.ends, row.code
