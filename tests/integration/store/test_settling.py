"""Jobs that have ended are kept small, and nothing is lost by it."""

from __future__ import annotations

import uuid

from aitrain.domain.admission import Site, admit
from aitrain.domain.flavor import BUILT_IN
from aitrain.domain.job import Job
from aitrain.domain.placement import place
from aitrain.domain.spec import JobSpec
from aitrain.domain.states import EndCause, InfoCode, State
from aitrain.store import HostTiming, Store

SITE = Site(BUILT_IN, {"s3"}, 100, 1000)
UNITS = [f"GPU-{uuid.UUID(int=number)}" for number in range(4)]
# Whatever is long, and counted in bytes where it is not ASCII.
IMAGE, WORD, MESSAGE = "sha256:" + "e" * 64, "Füße und 指の跡" * 9, "es ging schief:\nЖ" * 9
MACHINE = uuid.uuid4().hex


def ran(store: Store, message: str, to: State) -> Job:
    """A job of four GPUs as it stood before its last move, to an end."""
    spec = JobSpec.of(image="x", env={"WORD": WORD}, resources={"gpu": 4}, labels={"a": "b" * 60, "c": "d" * 60})
    job_id = store.submit(str(uuid.uuid4()), admit(spec, SITE)).job.id
    store.join_host("h1", instance=MACHINE, units={"v100s": UNITS}, max_jobs=9, timing=HostTiming(60_000, 60_000))
    run_to_the_end(store, job_id, message, to)
    return store.get(job_id)


def run_to_the_end(store: Store, job_id: str, message: str, to: State) -> Job:
    """Places and runs a job; how it stood right before its end."""
    for assignment in place(store.placement_view()).assignments:
        store.assign(assignment)
    fence = store.get(job_id).fence
    store.transition(job_id, fence, State.PENDING)
    store.transition(job_id, fence, State.RUNNING, fields={"started_ms": 5, "image_id": IMAGE})
    cause = EndCause.COMPLETED if to is State.DONE else EndCause.DATA_FAULT
    store.transition(job_id, fence, State.FINALIZING, cause=cause, fields={"exit_code": 0, "ran_ms": 9})
    before = store.get(job_id)
    code = None if to is State.DONE else InfoCode.JOB_SYNC_FAILED
    store.transition(job_id, fence, to, message=message, code=code, keep_ms=None if to is State.DONE else 0)
    return before


def test_everything_that_people_see_of_an_ended_job_is_there(store: Store) -> None:
    job = ran(store, MESSAGE, State.DONE)
    assert (job.state, job.message, job.image_id, job.unit_ids) == (State.DONE, MESSAGE, IMAGE, tuple(UNITS))
    assert (job.spec.env["WORD"], job.labels) == (WORD, {"a": "b" * 60, "c": "d" * 60})
    assert [entry.state for entry in job.history] == [
        State.QUEUED, State.INITIALIZING, State.PENDING, State.RUNNING, State.FINALIZING, State.DONE
    ]  # fmt: skip
    assert (job.history[-1].code, job.history[-1].message) == (InfoCode.JOB_DONE, MESSAGE)
    assert job.history[-1].at_ms == job.state_ms


def test_its_hash_is_one_that_redis_keeps_small(store: Store) -> None:
    job = ran(store, "", State.DONE)
    key = store._key("job", job.id)
    assert store._redis.object("encoding", key) in ("listpack", "ziplist")
    assert not store._redis.exists(store._key("history", job.id))
    kept = sum(int(store._redis.memory_usage(store._key(name, job.id)) or 0) for name in ("job", "settled"))
    assert kept < 2048


def test_a_job_that_is_started_again_goes_on_where_it_was(store: Store) -> None:
    first = ran(store, "", State.DONE)
    # When its labels are changed after its end, and it is started again
    store.edit(first.id, labels={"a": "new"})
    assert store.get(first.id).labels == {"a": "new", "c": "d" * 60}
    assert store.start(first.id, "started again").done
    queued = store.get(first.id)
    # then its spec and history are the same, the facts of the first attempt are not its own, and it can end again
    assert (queued.spec, queued.state, queued.unit_ids) == (first.spec, State.QUEUED, ())
    assert queued.history[:-1] == first.history
    assert not store._redis.exists(store._key("settled", first.id))
    assert queued.earlier_attempts[0].message == ""
    run_to_the_end(store, first.id, "", State.DONE)
    again = store.get(first.id)
    assert (again.attempt, again.labels["a"], len(again.history)) == (2, "new", 12)


def test_results_that_were_not_pushed_can_be_pushed_later(store: Store) -> None:
    failed = ran(store, MESSAGE, State.ERROR)
    assert store.retry_push(failed.id, "once more").done
    assert store.get(failed.id).state is State.FINALIZING
    assert store.get(failed.id).history[:-1] == failed.history


def test_a_deleted_job_leaves_nothing(store: Store) -> None:
    job = ran(store, MESSAGE, State.DONE)
    assert store.delete(job.id, force=False, message="").done
    assert list(store._redis.keys(f"*{job.id}*")) == [store._key("job", job.id)]


def test_a_submission_that_is_sent_again_after_the_end_finds_the_job(store: Store) -> None:
    job = ran(store, MESSAGE, State.DONE)
    assert store.submit(job.id, admit(JobSpec.of(image="y"), SITE)).job == job
