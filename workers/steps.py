"""The life of a job on its host, from top to bottom. Each step can be run again from any point of a crash."""

from __future__ import annotations

import logging
from contextlib import suppress
from functools import partial

from aitrain.domain.errors import PlatformFault, Unavailable
from aitrain.domain.retry import outcome
from aitrain.domain.states import EndCause, InfoCode, State, Step
from workers.app import step
from workers.containers import container_spec
from workers.datasync import VolumeSync, push_all
from workers.gpus.gate import await_clean
from workers.joblog import end_unread, keep_end
from workers.listings import Listing, inputs, outputs
from workers.registries import check_image, image_access
from workers.runtime import Container
from workers.runtime.faults import EngineUnavailable
from workers.step import Run
from workers.workspace import Ended

log = logging.getLogger(__name__)

# A container that ends at once may be reported by the agent before the step that started it can say so.
SEEN_BY_THE_AGENT = (State.RUNNING, State.FINALIZING, State.DONE, State.FAILED)


@step(Step.SYNC_IN)
def sync_in(run: Run) -> None:
    """INITIALIZING: the job's data is copied to this host."""
    run.workspace.unsettle()
    volumes = run.volumes()

    def copy() -> Listing | None:
        for _, sync in volumes:
            sync.check()
        for _, sync in volumes:
            sync.pull()
        return inputs(run, volumes)

    run.move(State.PENDING, listing=run.abandonable(copy))


@step(Step.START_CONTAINER)
def start_container(run: Run) -> None:
    """PENDING: the image is pulled, the container created and started."""
    engine, job = run.machine.engine, run.job
    run.workspace.unsettle()
    run.workspace.control.make(run.owner)
    check_image(run)
    ready = partial(await_clean_gpus, run)
    container = engine.prepare(container_spec(run), partial(image_access, run), run.checkpoint, ready)
    run.about_to_start()
    started = engine.start(container, job.spec.command)
    if started.started_ms is not None:
        fields: dict[str, str | int] = {
            "started_ms": started.started_ms,
            "image_id": started.image_id,
            "image_digest": engine.image_digest(started),
            "egress": started.egress,
        }
        age_ms = run.machine.stopwatch.age_ms(started)
        run.move(State.RUNNING, fields=fields, age_ms=age_ms, or_past=SEEN_BY_THE_AGENT)


def await_clean_gpus(run: Run) -> None:
    """Raises PlatformFault if what is left on the job's GPUs is not its own doing."""
    if not run.may_have_started():
        await_clean(run.machine, run.job, run.checkpoint)


@step(Step.MONITOR)
def monitor(run: Run) -> None:
    """RUNNING: the container is the agent's from here on. No task waits for it; the rest of the chain is dropped."""
    run.hand_over()


@step(Step.SYNC_OUT)
def sync_out(run: Run) -> None:
    """FINALIZING: the log's end is kept, the data pushed back, and the job ends as its cause says."""
    run.workspace.unsettle()
    container, log_is_kept = None, False
    with suppress(EngineUnavailable):  # the results do not wait for the engine
        container, log_is_kept = keep_rest_of_log(run), True
    volumes = [sync for volume, sync in run.volumes() if isinstance(sync, VolumeSync) and volume.permission.writable]

    # A store that lost its last second may ask for what is done, and then nothing is left here to push.
    if not run.workspace.pushed:
        if run.job.push_asked and volumes and not run.workspace.exists:
            # An empty directory would be pushed as no results at all, and the job be DONE.
            gone = f"host {run.job.host} does not have its results any more"
            raise PlatformFault(EndCause.DATA_FAULT, InfoCode.JOB_SYNC_FAILED, gone)
        run.abandonable(partial(push_all, volumes))
        run.workspace.mark_pushed(Ended.of(run.machine.store.get(run.job.id)))
    listing = run.abandonable(partial(outputs, run, run.volumes()))
    if not log_is_kept:
        container = keep_rest_of_log(run)
    # Read again: whoever stopped the job while it was pushed does not want to see it run again.
    job = run.machine.store.get(run.job.id)
    cause = job.end_cause or EndCause.PLATFORM_FAULT
    pauses = run.machine.settings.timing.pauses
    run.end(outcome(job, cause, pauses, message=job.message, exit_code=job.exit_code), listing=listing)
    if container is not None:
        remove(run, container)


def keep_rest_of_log(run: Run) -> Container | None:
    """Keeps what the container wrote and the agent has not read, and returns the container, if there is one.

    Raises EngineUnavailable. Whatever else goes wrong with a log is told and must not keep the results from being
    pushed.
    """
    engine, job = run.machine.engine, run.job
    container = None
    try:
        container = engine.of_attempt(job.id, job.attempt, job.fence)
        keep_end(run.machine, job, container)
    except Unavailable:
        raise
    except Exception:
        log.exception("job %s: the end of its log was not kept", job.id)
        end_unread(run.machine, job)
    return container


def remove(run: Run, container: Container) -> None:
    """The job has ended; what cannot be removed now, the agent removes."""
    try:
        run.machine.engine.remove(container)
    except (PlatformFault, EngineUnavailable) as fault:
        log.warning("job %s: its container was not removed yet: %s", run.job.id, fault)
