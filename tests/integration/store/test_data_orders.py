"""The verbs of orders on data, one by one."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from aitrain.domain.copying import CopyState
from aitrain.domain.errors import JobNotFound
from aitrain.domain.job import Direction, Job
from aitrain.domain.states import EndCause, InfoCode, State
from aitrain.settings import load_settings
from aitrain.store import CopyLease, HostTiming, Seen, Store
from tests.integration.store.test_verbs import TIMING, placed
from workers.recovery import recover

PUSH = Direction.PUSH


def running(store: Store) -> Job:
    job = placed(store)
    for state in (State.PENDING, State.RUNNING):
        assert store.transition(job.id, job.fence, state, fields={"started_ms": 1}).moved
    return store.get(job.id)


def not_pushed(store: Store, keep_ms: int = 60_000) -> Job:
    """A job that exited with 0 and ended ERROR, because its results could not be pushed."""
    job = running(store)
    fields = {"exit_code": 0, "finished_ms": 90_001}
    store.transition(
        job.id, job.fence, State.FINALIZING, cause=EndCause.COMPLETED, message="exited with 0", fields=fields
    )
    store.transition(
        job.id, job.fence, State.ERROR, code=InfoCode.JOB_SYNC_FAILED, message="no", cause=EndCause.DATA_FAULT,
        fields={"push_tries": 7}, keep_ms=keep_ms,
    )  # fmt: skip
    return store.get(job.id)


# ── retry_push ──────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_push_tried_again_changes_what_it_must_and_nothing_else(store: Store) -> None:
    before = not_pushed(store)
    lines = list(store.ledger_lines(before.project))
    assert before.kept_until_ms == before.state_ms + 60_000
    answer = store.retry_push(before.id, "again, by ann")
    assert (answer.done, answer.state) == (True, State.FINALIZING)
    now = store.get(before.id)
    assert (now.push_asked, now.push_tries, now.kept_until_ms) == (True, 0, None)
    assert (now.message, now.history[-1].message) == ("exited with 0", "again, by ann")
    changed = {"state", "state_ms", "code", "message", "history", "push_asked", "push_tries", "kept_until_ms"}
    assert now.model_dump(exclude=changed) == before.model_dump(exclude=changed)
    assert (list(store.ledger_lines(before.project)), len(lines)) == (lines, 1)
    (held,) = [job for job in store.host_jobs("h1") or () if job.job_id == before.id]
    assert held.fence == before.fence
    assert store.retry_push(before.id, "twice").why == "alive"


def test_a_second_failure_keeps_them_anew_and_a_second_order_says_the_first_end(store: Store) -> None:
    job = not_pushed(store)
    for _ in range(2):
        assert store.retry_push(job.id, "again").done
        assert store.get(job.id).message == "exited with 0"
        moved = store.transition(job.id, job.fence, State.ERROR, code=InfoCode.JOB_SYNC_FAILED, message="no", keep_ms=0)
        assert moved.moved
    assert store.get(job.id).kept_until_ms == 0, "for ever"


def test_a_job_whose_push_was_ordered_does_not_run_again(store: Store) -> None:
    job = not_pushed(store)
    store.retry_push(job.id, "again")
    assert not store.transition(job.id, job.fence, State.QUEUED).moved
    assert store.transition(job.id, job.fence, State.DONE).moved
    assert store.retry_push(job.id, "again").why == "nothing"
    assert store.start(job.id, "run").done
    assert store.get(job.id).push_asked is False


def test_a_late_report_does_not_bring_it_back(store: Store) -> None:
    job = not_pushed(store)
    assert not store.transition(job.id, job.fence, State.FINALIZING).moved


def test_another_attempt_has_results_of_its_own(store: Store) -> None:
    job = not_pushed(store)
    assert store.start(job.id, "run").done
    assert store.retry_push(job.id, "again").why == "alive"
    assert store.get(job.id).kept_until_ms is None


def test_a_host_that_is_away_or_another_machine(store: Store) -> None:
    job = not_pushed(store)
    store._redis.zadd(store._key("hosts"), {"h1": 0})
    assert store.retry_push(job.id, "again").why == "away"
    assert store.join_host("h1", instance="two", units={"cpu": ["0"]}, max_jobs=9, timing=TIMING) is False
    assert store.retry_push(job.id, "again").why == "replaced"
    with pytest.raises(JobNotFound):
        store.retry_push("none", "again")


# ── retention ───────────────────────────────────────────────────────────────────────────────────────────────────


def test_results_are_given_up_after_their_time(store: Store) -> None:
    job = not_pushed(store, keep_ms=1)
    while not store.expire_results(job.id, job.fence, 10**9, look=True).expired:
        pass
    assert store.retry_push(job.id, "a moment before").done
    store.transition(job.id, job.fence, State.ERROR, code=InfoCode.JOB_SYNC_FAILED, keep_ms=1)
    while not store.expire_results(job.id, job.fence, 10**9).expired:
        pass
    assert store.retry_push(job.id, "again").why == "expired"
    assert "removed from host h1" in store.get(job.id).note


def test_what_is_kept_and_until_when(store: Store) -> None:
    job = not_pushed(store)
    kept = store.expire_results(job.id, job.fence, 0)
    assert (kept.known, kept.until_ms, kept.expired) == (True, job.kept_until_ms, False)
    assert 0 < (kept.left_ms or 0) <= 60_000
    older = store.expire_results(job.id, "0.older", 5_000)
    assert older.until_ms == job.state_ms + 5_000
    assert store.expire_results(job.id, "0.older", 0).until_ms == 0
    store.retry_push(job.id, "again")
    assert store.expire_results(job.id, job.fence, 1).until_ms is None
    assert not store.expire_results("none", "1.a", 1).known


# ── copies while it runs ────────────────────────────────────────────────────────────────────────────────────────


def lease(job: Job, copy_id: str, holder: str = "a") -> CopyLease:
    return CopyLease(job.id, job.fence, copy_id, holder)


def ordered(store: Store, job: Job) -> str:
    answer = store.order_copy(job.id, PUSH, mount_path="/out", dry_run=True, by="ann")
    assert answer.done
    assert answer.copy is not None
    return answer.copy.id


def test_an_order_is_taken_up_once_and_answered(store: Store) -> None:
    job = running(store)
    copy_id = ordered(store, job)
    assert store.get(job.id).copying is PUSH
    assert store.order_copy(job.id, PUSH, mount_path="", dry_run=False, by="").why == "busy"
    begun = store.begin_copy(lease(job, copy_id), 60_000, "h1", "one")
    assert begun is not None
    assert (begun.copy.direction, begun.copy.mount_path, begun.copy.dry_run, begun.copy.by) == (
        PUSH,
        "/out",
        True,
        "ann",
    )
    assert store.begin_copy(lease(job, copy_id, "b"), 60_000, "h1", "one") is None
    assert store.begin_copy(lease(job, copy_id), 60_000, "h1", "two") is None, "another machine"
    assert not store.end_copy(lease(job, copy_id, "b"), CopyState.DONE)
    assert store.end_copy(lease(job, copy_id), CopyState.DONE, summary="two files", lines=["a", "b"])
    over = store.last_copy(job.id)
    assert over is not None
    assert (over.state, over.summary, over.lines) == (CopyState.DONE, "two files", ("a", "b"))
    assert over.ended_ms is not None
    assert store.get(job.id).copying is None
    assert store.begin_copy(lease(job, copy_id, "b"), 60_000, "h1", "one") is None, "an old message"


def test_a_worker_that_died_loses_its_lease(store: Store) -> None:
    job = running(store)
    copy_id = ordered(store, job)
    assert store.begin_copy(lease(job, copy_id), 0, "h1", "one")
    assert store.begin_copy(lease(job, copy_id, "b"), 60_000, "h1", "one")
    assert store.renew_copies([lease(job, copy_id), lease(job, copy_id, "b")], 60_000) == [False, True]


def test_an_order_that_is_silent_is_told_to_its_host(store: Store) -> None:
    job = running(store)
    copy_id = ordered(store, job)

    def told() -> str:
        heard = store.heartbeat("h1", instance="one", fit=True, seen=[], timing=TIMING, resend_ms=60_000)
        assert heard is not None
        return next(held.recopy for held in heard.jobs if held.job_id == job.id)

    assert told() == ""
    store._redis.hset(store._key("job", job.id), "copy_due_ms", 1)
    assert told() == copy_id
    assert told() == "", "once for each silence"


def test_a_job_that_leaves_running_ends_the_order(store: Store) -> None:
    job = running(store)
    copy_id = ordered(store, job)
    store.begin_copy(lease(job, copy_id), 60_000, "h1", "one")
    assert store.stop(job.id, "enough").done
    over = store.last_copy(job.id)
    assert over is not None
    assert (over.state, over.error) == (
        CopyState.FAILED,
        "the job left RUNNING for INTERRUPTING before the copy was done",
    )
    assert store.renew_copies([lease(job, copy_id)], 60_000) == [False]
    assert store.order_copy(job.id, PUSH, mount_path="", dry_run=False, by="").why == "not_running"


def test_it_touches_neither_state_nor_bill_nor_lease(store: Store) -> None:
    job = running(store)
    store.heartbeat("h1", instance="one", fit=True, seen=[Seen(job.id, job.fence, 5)], timing=TIMING, resend_ms=60_000)
    key = store._key("job", job.id)
    before = store._redis.hgetall(key)
    copy_id = ordered(store, job)
    store.begin_copy(lease(job, copy_id), 60_000, "h1", "one")
    store.end_copy(lease(job, copy_id), CopyState.FAILED, error="no", code=InfoCode.JOB_ERROR)
    assert store._redis.hgetall(key) == before


def test_a_deleted_job_leaves_no_order(store: Store) -> None:
    job = running(store)
    ordered(store, job)
    store.transition(job.id, job.fence, State.FINALIZING, cause=EndCause.COMPLETED)
    store.transition(job.id, job.fence, State.DONE)
    assert store.delete(job.id, force=False, message="").done
    assert store.last_copy(job.id) is None
    with pytest.raises(JobNotFound):
        store.order_copy(job.id, PUSH, mount_path="", dry_run=False, by="")


def test_what_a_lost_host_could_not_push_may_be_pushed_when_it_is_back(store: Store) -> None:
    job = running(store)
    store.join_host("h1", instance="one", units={"cpu": ["0"]}, max_jobs=9, timing=HostTiming(0, 0))
    store.transition(job.id, job.fence, State.FINALIZING, cause=EndCause.COMPLETED, message="exited with 0")
    settings = load_settings(timing={"finalizing_patience_seconds": 0.001}, limits={"results_retention_seconds": 60})
    dispatcher = SimpleNamespace(after=lambda *_: None)
    machine: Any = SimpleNamespace(settings=settings, store=store, dispatcher=dispatcher)
    while not store.get(job.id).ended:
        recover(machine, store.get(job.id))
    lost = store.get(job.id)
    assert (lost.state, lost.code, lost.end_cause) == (State.ERROR, InfoCode.JOB_SYNC_FAILED, EndCause.COMPLETED)
    assert lost.kept_until_ms == lost.state_ms + 60_000
    assert store.retry_push(job.id, "again").why == "away"
    store.join_host("h1", instance="one", units={"cpu": ["0"]}, max_jobs=9, timing=TIMING)
    assert store.retry_push(job.id, "again").done
    assert store.get(job.id).message == "exited with 0"
