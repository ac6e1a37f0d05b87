"""The frame of a step: takes the lease, runs the work, tells the store how it ended, and stops the chain if it must."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Collection, Mapping
from contextlib import suppress
from functools import cached_property
from typing import Any, TypeVar

from aitrain.domain.errors import JobFault, PlatformFault, StepCancelled, StoreUnavailable, Unavailable
from aitrain.domain.flavor import Flavor
from aitrain.domain.job import Job, VolumeProgress, moment
from aitrain.domain.retry import Again, Outcome, Pauses, outcome
from aitrain.domain.states import EndCause, InfoCode, State, Step, state_of
from aitrain.domain.volume import Volume
from aitrain.store import Lease
from workers import clock
from workers.about import about_job, carrying
from workers.data_stores import ProjectDataStores
from workers.datasync import GitSync, VolumeSync, copier
from workers.leases import Claim, LeaseKeeper
from workers.machine import Machine
from workers.runtime.faults import EngineUnavailable
from workers.secrets import JobSecrets
from workers.unrun import end_unrun
from workers.workspace import Workspace

log = logging.getLogger(__name__)

T = TypeVar("T")

ABANDON_POLL_SECONDS = 0.2
# Faults of a push that an outage explains; others are the same the next time.
PASSES_BY_ITSELF = frozenset({InfoCode.DATASYNC_PROGRESS_FAILED_TRANSIENT_ERROR})


class Visit:
    """A worker's time with a job: what a step and an ordered copy have in common."""

    def __init__(self, machine: Machine, job: Job, claim: Claim[Any]) -> None:
        self.machine, self.job, self._claim = machine, job, claim
        self.progress = dict(job.progress)

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

    @property
    def owner(self) -> tuple[int, int]:
        """uid and gid that the job runs as."""
        uid, _, gid = self.machine.settings.host.container_user.partition(":")
        return int(uid), int(gid)

    @cached_property
    def secrets(self) -> JobSecrets:
        """What it needs and only control workers can open."""
        return JobSecrets(self.machine, self.job.project, self.job.id, self.job.fence, self.checkpoint)

    def volumes(self) -> list[tuple[Volume, VolumeSync | GitSync]]:
        """The job's volumes, each with what copies it."""
        machine = self.machine
        stores = ProjectDataStores(
            self.job.project, machine.store, machine.settings.data_stores, self.secrets.data_store
        )

        def reporter(mount_path: str) -> Callable[[VolumeProgress], None]:
            def report(now: VolumeProgress) -> None:
                self.progress[mount_path] = now
                # The copy is worth more than news of it; and one that was given up has none to tell.
                with suppress(StoreUnavailable, StepCancelled):
                    self.checkpoint()
                    self.machine.store.set_progress(self.job.id, self.job.fence, self.progress)

            return report

        return [
            (
                volume,
                copier(
                    volume,
                    stores,
                    self.workspace.volume(number),
                    owner=self.owner,
                    checkpoint=self.checkpoint,
                    report=reporter(volume.mount_path),
                    project=self.job.project,
                    disk=machine.disk,
                    host=machine.settings.host,
                ),
            )
            for number, volume in enumerate(self.job.spec.volumes)
        ]

    def abandonable(self, work: Callable[[], T]) -> T:
        """Runs work in a thread of its own, and leaves it alone if the job moves on: a copy may hang for minutes.

        Work that is left so must reach a checkpoint before it changes anything. Returns what it returns, raises what
        it raises, and StepCancelled.
        """
        results: list[T] = []
        failures: list[BaseException] = []
        done = threading.Event()

        def body() -> None:
            try:
                results.append(work())
            except BaseException as failure:
                failures.append(failure)
            finally:
                done.set()

        carrying(body, name="copy").start()
        while not done.wait(ABANDON_POLL_SECONDS):
            self.checkpoint()
        if failures:
            raise failures[0]
        return results[0]


class Run(Visit):
    """One delivery of one step, while it holds the lease on its work."""

    def __init__(self, machine: Machine, job: Job, claim: Claim[Lease], age_ms: int) -> None:
        """age_ms: for how long the job has been in the step's state."""
        super().__init__(machine, job, claim)
        self.age_ms, self._began = age_ms, clock.elapsed()
        self._starting = job.starting

    @property
    def lease(self) -> Lease:
        """Its claim on the work."""
        lease: Lease = self._claim.lease
        return lease

    @property
    def now_ms(self) -> int:
        """The time by the store's clock, Unix ms."""
        return self.job.state_ms + self.age_ms + round(1000 * (clock.elapsed() - self._began))

    def move(
        self,
        to: State,
        *,
        code: InfoCode | None = None,
        message: str = "",
        cause: EndCause | None = None,
        fields: Mapping[str, str | int] | None = None,
        again: Again | None = None,
        pause_ms: int = 0,
        keep_ms: int | None = None,
        listing: tuple[str, Mapping[str, Any]] | None = None,
        age_ms: int | None = None,
        or_past: Collection[State] = (),
    ) -> None:
        """Moves the job on from this step's state.

        or_past: states in which the agent may have put it already, which is as good; the others: see
        Store.transition. Raises StepCancelled if it has moved elsewhere.
        """
        lease = self.lease
        moved = self.machine.store.transition(
            self.job.id, self.job.fence, to, only_from=[lease.state], holder=lease.holder,
            code=code, message=message, cause=cause, fields=fields, again=again, pause_ms=pause_ms,
            keep_ms=keep_ms, listing=listing, age_ms=age_ms,
        )  # fmt: skip
        if not moved.moved and not (moved.fence == self.job.fence and moved.state in or_past):
            raise StepCancelled(f"the job is {moved.state}")
        self.machine.dispatcher.after(moved, to)

    def end(
        self, to: Outcome, cause: EndCause | None = None, listing: tuple[str, Mapping[str, Any]] | None = None
    ) -> None:
        """Moves a job that leaves nothing to push to its end, or to its next attempt, and removes its workspace.

        listing: see Store.transition. Raises StepCancelled if it has moved already; then the workspace stays.
        """
        self.checkpoint()
        self.workspace.settle()
        try:
            self.move(
                to.state, code=to.code, message=to.message, cause=cause, again=to.again, pause_ms=to.pause_ms,
                listing=listing,
            )  # fmt: skip
        except StepCancelled:
            self.workspace.unsettle()
            raise
        self.workspace.remove()

    def end_stopped(self) -> bool:
        """Ends a job that was told to stop before anything of it ran; False if that is not how it stands."""
        if self.lease.state is not State.PENDING or self.may_have_started():
            return False
        self.workspace.settle()
        moved = end_unrun(self.machine.store, self.job.id, self.job.fence, self.lease.holder)
        if moved is None:
            self.workspace.unsettle()
            return False
        self.workspace.remove()
        self.machine.dispatcher.after(moved, State.INTERRUPTED)
        return True

    def about_to_start(self) -> None:
        """Records that the container may come to life from here on, whatever happens to this worker or the engine.

        Raises StepCancelled if the job moved on.
        """
        self.checkpoint()
        if not self.machine.store.set_fields(self.job.id, self.job.fence, {"starting": 1}):
            raise StepCancelled("another attempt has begun")
        self._starting = True

    def may_have_started(self) -> bool:
        """Whether the container of this attempt has run, as far as the engine can say: then there are results."""
        if not self._starting:
            return False
        try:
            container = self.machine.engine.of_attempt(self.job.id, self.job.attempt, self.job.fence)
        except (PlatformFault, Unavailable):
            return True
        return container is not None and container.started_ms is not None

    def hand_over(self) -> None:
        """Gives the RUNNING job to the agent. Raises StepCancelled if it has moved already."""
        if not self.machine.store.hand_over(self._claim.lease):
            raise StepCancelled("the job has moved on")


def check_understood(job: Job) -> None:
    """Raises PlatformFault for a job that has yet to start and asks for what this version does not know.

    Left out, it could be the very thing that the job needs, or must not have.
    """
    if job.unknown and job.state in (State.INITIALIZING, State.PENDING):
        asked = ", ".join(job.unknown)
        message = (
            f"it was submitted by a newer aitrain, and asks for what host {job.host} does not know: {asked}; "
            "upgrade the host"
        )
        raise PlatformFault(EndCause.PLATFORM_FAULT, InfoCode.JOB_ERROR, message)


class Steps:
    """Runs steps in one worker."""

    def __init__(self, machine: Machine) -> None:
        self._machine = machine
        self._keeper = LeaseKeeper(machine.store.renew_leases, machine.settings.timing)

    def give_up(self, why: str) -> int:
        """Has all steps at work stop where they may; how many there are. They are begun again, by any worker."""
        return self._keeper.give_up(why)

    def run(self, step: Step, work: Callable[[Run], None], job_id: str, fence: str) -> tuple[bool, str]:
        """Runs one step's work for one message.

        Returns whether the chain goes on, and a word on how it went, for Flower. Unavailable is let through: then
        nothing is known, the lease lapses, and the message is sent again.
        """
        with about_job(job_id, fence, step):
            return self._run(step, work, job_id, fence)

    def _run(self, step: Step, work: Callable[[Run], None], job_id: str, fence: str) -> tuple[bool, str]:
        state = state_of(step)
        lease, asked = Lease(job_id, fence, state, self._keeper.holder()), clock.elapsed()
        begun = self._machine.store.begin_step(
            lease, self._keeper.ttl_ms, self._machine.settings.host.name, self._machine.instance
        )
        if begun.job is None:
            return False, f"late: the job is {begun.state}"
        with self._keeper.holding(lease, asked) as claim:
            run = Run(self._machine, begun.job, claim, begun.age_ms)
            try:
                check_understood(begun.job)
                work(run)
            except StepCancelled as late:
                return self._give_up(run, str(late))
            except EngineUnavailable as away:
                return self._wait_for_engine(run, state, away)
            except Unavailable:
                raise
            except JobFault as fault:
                return self._fail(run, state, fault)
            except Exception as error:
                log.exception("job %s: %s failed unforeseen", job_id, step)
                message = f"{step}: {type(error).__name__}: {error}"
                return self._fail(run, state, JobFault(EndCause.PLATFORM_FAULT, InfoCode.JOB_ERROR, message))
        return step is not Step.MONITOR, "done"

    def _give_up(self, run: Run, why: str) -> tuple[bool, str]:
        if run.end_stopped():
            return False, "stopped before it ran"
        self._machine.store.release_lease(run.lease)
        return False, f"given up: {why}"

    def _wait_for_engine(self, run: Run, state: State, away: EngineUnavailable) -> tuple[bool, str]:
        """An engine that restarts is waited for. One that stays away loses the jobs that it has not begun to start."""
        patience_s = self._machine.settings.timing.engine_patience_seconds
        if state is not State.PENDING or run.may_have_started() or run.age_ms < patience_s * 1000:
            raise away
        message = f"the engine of host {run.job.host} was away for longer than {patience_s:g} s ({away})"
        return self._fail(run, state, PlatformFault(EndCause.ENGINE_FAULT, InfoCode.JOB_ERROR, message))

    def _fail(self, run: Run, state: State, fault: JobFault) -> tuple[bool, str]:
        if state is State.FINALIZING:
            return self._not_pushed(run, fault)
        if run.may_have_started():
            return self._give_up(run, f"{fault}; its container has run, and is the agent's")
        to = outcome(run.job, fault.cause, self._pauses, message=str(fault), code=fault.code)
        log.warning("job %s goes to %s: %s", run.job.id, to.state, to.message)
        try:
            run.end(to, fault.cause)
        except StepCancelled as late:
            return self._give_up(run, str(late))
        return False, f"{to.state}: {fault.code}"

    def _not_pushed(self, run: Run, fault: JobFault) -> tuple[bool, str]:
        """Results that could not be pushed stay on the host. What may pass by itself is tried again for hours."""
        run.workspace.unsettle()
        tries, limit = run.job.push_tries, self._machine.settings.limits.push_retries
        if fault.code in PASSES_BY_ITSELF and tries < limit:
            pause_s = self._pauses.after(tries)
            message = f"its results are not pushed yet: {fault}; try {tries + 2} of {limit + 1} in {pause_s:g} s"
            log.warning("job %s: %s", run.job.id, message)
            self._machine.store.postpone(run.lease, round(pause_s * 1000), message)
            return False, f"put off for {pause_s:g} s: {fault.code}"
        log.warning("job %s ends ERROR: %s", run.job.id, fault)
        # After the run nothing may turn a platform's end into success, and results that could not be pushed are ours.
        keep_ms = 1000 * self._machine.settings.limits.results_retention_seconds
        until = f" until {moment(run.now_ms + keep_ms):%Y-%m-%d %H:%M} UTC" if keep_ms else ""
        message = f"{fault}; its results stay on host {run.job.host}{until}"
        try:
            run.move(State.ERROR, code=InfoCode.JOB_SYNC_FAILED, message=message, cause=fault.cause, keep_ms=keep_ms)
        except StepCancelled as late:
            return self._give_up(run, str(late))
        return False, f"{State.ERROR}: {InfoCode.JOB_SYNC_FAILED}"

    @property
    def _pauses(self) -> Pauses:
        return self._machine.settings.timing.pauses
