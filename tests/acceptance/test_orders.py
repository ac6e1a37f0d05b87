"""Orders in every state, timeouts and their warnings, retries by cause: on a site with one host."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from aitrain import BudgetExceeded, InvalidInput, Job, JobEdit, JobNotFound, JobState, QuotaExceeded
from aitrain.domain.flavor import Kind
from aitrain.domain.states import EndCause, InfoCode
from aitrain.domain.waiting import Reason
from tests.acceptance.conftest import QUICK, Fleet, eventually
from workers.scratch.registry import Registry
from workers.scratch.servers import DockerEngine, S3Server, frozen

RETRY = {**QUICK, "retry_pause_seconds": 0.3, "retry_pause_max_seconds": 1}
SLEEPS = ("sh", "-c", "echo up; sleep 60")


@pytest.fixture(scope="module")
def fleet(
    make_fleet: Callable[..., Fleet], engine: DockerEngine, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Fleet]:
    """A host with four CPUs, a control worker and beat, over an S3 server that may be broken."""
    with ExitStack() as stack:
        s3 = stack.enter_context(S3Server(tmp_path_factory.mktemp("s3")))
        fleet = make_fleet(s3=s3, timing=RETRY, limits={"platform_retries": 3, "push_retries": 200})
        fleet.site.s3 = s3
        for process in (fleet.site.control(), fleet.site.beat(), fleet.site.host("h1", {"cpu": 4}, engine.url)):
            stack.enter_context(process)
        yield fleet


def states(job: Job) -> list[str]:
    return [entry.state for entry in job.history]


# ── stop ────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_stop_gives_up_a_copy_that_hangs(fleet: Fleet, bucket: str) -> None:
    """The object store says nothing: no answer of it is waited for."""
    fleet.s3.create_bucket(Bucket=bucket)
    fleet.s3.put_object(Bucket=bucket, Key="x", Body=b"x" * 1000)
    with frozen(fleet.site.s3.pid):
        job = fleet.submit("true", volumes=[f"{bucket}@s3:/in"])
        eventually(lambda: any(held.lease_live for held in fleet.client._store.host_jobs("h1")), what="sync_in")
        assert fleet.client.stop(job.id, by="ann").done
        ended = fleet.end(job, seconds=20)
    assert states(ended) == ["QUEUED", "INITIALIZING", "INTERRUPTING", "INTERRUPTED"]
    assert (ended.end_cause, fleet.minutes(job)) == (EndCause.STOPPED, [])
    fleet.came_to_rest(ended, "h1")


def test_stop_gives_up_a_pull_that_hangs(fleet: Fleet, registry: Registry) -> None:
    with frozen(registry.pid):
        job = fleet.submit("true", image=f"{registry.address}/slow/image:1")
        fleet.until(job, "PENDING")
        eventually(lambda: any(held.lease_live for held in fleet.client._store.host_jobs("h1")), what="the pull")
        assert fleet.client.stop(job.id).done
        ended = fleet.end(job, seconds=20)
    assert states(ended)[-3:] == ["PENDING", "INTERRUPTING", "INTERRUPTED"]
    assert fleet.starts(job) == 0
    fleet.came_to_rest(ended, "h1")


def test_stop_while_results_are_pushed_lets_them_be_pushed(fleet: Fleet, bucket: str) -> None:
    """And the job does not run again, although it was to."""
    fleet.s3.create_bucket(Bucket=bucket)
    job = fleet.submit(
        "sh", "-c", "echo x > /out/r; sleep 60", timeout=1, auto_restart=True, volumes=[f"{bucket}@s3:/out:rw"]
    )
    fleet.until(job, "RUNNING")
    with frozen(fleet.site.s3.pid):
        fleet.until(job, "FINALIZING")
        answer = fleet.client.stop(job.id)
        assert (answer.done, answer.why) == (False, "ending")
    ended = fleet.end(job)
    assert (ended.state, ended.attempt, ended.end_cause) == (JobState.INTERRUPTED, 1, EndCause.TIMED_OUT)
    assert fleet.objects(bucket) == {"r": b"x\n"}


# ── start, delete, edit ─────────────────────────────────────────────────────────────────────────────────────────


def test_start_of_an_ended_job(fleet: Fleet, bucket: str) -> None:
    job = fleet.submit(
        "sh", "-c", "echo attempt $AITRAIN_ATTEMPT | tee -a /out/r; [ $AITRAIN_ATTEMPT = 2 ]",
        volumes=[f"{bucket}@s3:/out:rw"],
    )  # fmt: skip
    assert fleet.client.start(job.id).why == "alive"
    assert fleet.end(job).state == JobState.FAILED
    assert fleet.client.start(job.id, by="ann").done
    ended = fleet.end(job)
    assert (ended.id, ended.state, ended.attempt) == (job.id, JobState.DONE, 2)
    (first,) = ended.earlier_attempts
    assert (first.cause, first.exit_code, first.minutes) == (EndCause.EXIT_CODE, 1, 1)
    assert "exited with 1" in first.message
    assert fleet.objects(bucket)["r"] == b"attempt 1\nattempt 2\n"
    assert fleet.minutes(job) == [0, 0]
    assert [line.text for line in fleet.client.logs(job.id, attempt=1)] == ["attempt 1"]
    fleet.came_to_rest(ended, "h1")


def test_start_minds_the_quota(fleet: Fleet) -> None:
    job = fleet.end(fleet.submit("true", project="tight"))
    fleet.client.set_quota("tight", Kind.CPU, 0)
    with pytest.raises(QuotaExceeded):
        fleet.client.start(job.id)
    assert fleet.client.get(job.id).state == JobState.DONE


def test_at_its_budget_a_job_is_stopped_and_what_waits_is_held_until_it_is_raised(fleet: Fleet, bucket: str) -> None:
    works = "trap 'echo saved > /out/checkpoint; exit 0' TERM; echo up; while true; do sleep 0.1; done"
    runs = fleet.submit("sh", "-c", works, project="poor", cpu=4, timeout=3600, volumes=[f"{bucket}@s3:/out:rw"])
    eventually(lambda: fleet.log(runs) == ["up"], what="its trap")
    waits = fleet.submit("true", project="poor", cpu=4, timeout=60)

    fleet.client.set_budget("poor", "0.001", stop=True)
    stopped = fleet.end(runs)
    assert (stopped.state, stopped.end_cause) == (JobState.INTERRUPTED, EndCause.BUDGET_REACHED)
    assert stopped.message == "its project's budget for the month is spent"
    assert fleet.objects(bucket) == {"checkpoint": b"saved\n"}
    told = fleet.client.explain(waits.id)
    assert (told.state, told.reason) == (JobState.QUEUED, Reason.BUDGET)
    view = fleet.client.budget("poor")
    assert view is not None
    assert (view.warned, view.left) == (True, 0)
    with pytest.raises(BudgetExceeded):
        fleet.submit("true", project="poor", timeout=60)

    fleet.client.set_budget("poor", 1, stop=True)
    assert fleet.end(waits).state == JobState.DONE


def test_delete(fleet: Fleet) -> None:
    job = fleet.submit(*SLEEPS, project="gone")
    fleet.until(job, "RUNNING")
    assert fleet.client.delete(job.id).why == "alive"
    assert fleet.client.delete(job.id, force=True).why == "stopping"
    eventually(lambda: not fleet.client._store.get_many([job.id]), what="its end")
    with pytest.raises(JobNotFound):
        fleet.client.get(job.id)
    assert fleet.client.delete(job.id).why == "unknown"
    assert not list(fleet.client.iter_jobs(project="gone"))
    assert fleet.minutes(job) == [0], "what it was billed stays"
    with pytest.raises(InvalidInput, match="is deleted"):
        fleet.submit("true", job_id=job.id)
    fleet.came_to_rest(job, "h1")


def test_delete_of_a_waiting_job(fleet: Fleet) -> None:
    job = fleet.submit("true", cpu=9)
    assert fleet.client.delete(job.id, force=True).done
    assert not fleet.client._store.get_many([job.id])


def test_edit_moves_the_deadline_of_a_running_job(fleet: Fleet) -> None:
    job = fleet.submit(*SLEEPS, timeout=600, labels={"team": "a", "old": "1"})
    fleet.until(job, "RUNNING")
    assert fleet.client.edit(job.id, JobEdit.of(labels={"team": "b"}, drop_labels=("old",))).done
    assert fleet.client.get(job.id).labels == {"team": "b"}
    assert fleet.client.edit(job.id, JobEdit.of(timeout=1)).done
    ended = fleet.end(job)
    assert (ended.end_cause, ended.timeout_s) == (EndCause.TIMED_OUT, 1)
    assert "timeout of 1 s" in ended.message


def test_edit_of_what_cannot_be(fleet: Fleet) -> None:
    job = fleet.submit(*SLEEPS)
    with pytest.raises(InvalidInput, match="give at most 2419200 seconds"):
        fleet.client.edit(job.id, JobEdit.of(timeout=10**9))
    with pytest.raises(InvalidInput, match="changes nothing"):
        JobEdit.of()
    with pytest.raises(InvalidInput, match="auto_restart"):
        JobEdit.of(auto_restart="yes")
    with pytest.raises(JobNotFound):
        fleet.client.edit(str(uuid.uuid4()), JobEdit.of(timeout=5))
    fleet.client.delete(job.id, force=True)


def test_auto_restart_may_be_given_while_it_runs(fleet: Fleet) -> None:
    job = fleet.submit("sh", "-c", "[ $AITRAIN_ATTEMPT = 2 ] || sleep 60", timeout=2)
    fleet.until(job, "RUNNING")
    fleet.client.edit(job.id, JobEdit.of(auto_restart=True))
    ended = fleet.end(job)
    assert (ended.state, ended.attempt) == (JobState.DONE, 2)


# ── timeouts ────────────────────────────────────────────────────────────────────────────────────────────────────

HEEDS = "trap 'echo warned; cat /run/aitrain/timeout_warning >&2; exit 0' USR1; echo up; while true; do sleep 0.1; done"


def test_a_job_is_warned_before_its_timeout(fleet: Fleet) -> None:
    job = fleet.submit("sh", "-c", HEEDS, timeout=6, warning_seconds=3, warning_signal=True)
    ended = fleet.end(job)
    assert (ended.state, ended.exit_code) == (JobState.DONE, 0), ended.message
    up, *said = fleet.log(job)
    assert up == "up"
    assert "warned" in said
    assert any(line.startswith("20") and line.endswith("Z") for line in said), said
    ran_s = ((ended.finished_ms or 0) - (ended.started_ms or 0)) / 1000
    assert ran_s > 2.5, "not before it was time"


def test_no_signal_unless_it_was_asked_for(fleet: Fleet) -> None:
    job = fleet.submit("sh", "-c", HEEDS, timeout=3, warning_seconds=1)
    ended = fleet.end(job)
    assert (ended.end_cause, fleet.log(job)) == (EndCause.TIMED_OUT, ["up"])


ASKS = (
    "cat $AITRAIN_CONTROL/timeout.json; echo %s > $AITRAIN_CONTROL/ask/timeout; "
    "until grep -q '%s' $AITRAIN_CONTROL/timeout.json; do sleep 0.1; done; cat $AITRAIN_CONTROL/timeout.json; sleep 3"
)


def test_a_job_may_ask_for_more_time(fleet: Fleet) -> None:
    job = fleet.submit("sh", "-c", "sleep 0.5; " + ASKS % (60, "granted"), timeout=3)
    ended = fleet.end(job)
    assert (ended.state, ended.timeout_s) == (JobState.DONE, 60), ended.message
    before, after = (json.loads(line) for line in fleet.log(job))
    assert (before["timeout_seconds"], after["timeout_seconds"]) == (3, 60)
    assert after["deadline"] > before["deadline"]


def test_a_job_may_not_ask_for_more_than_its_project_has(fleet: Fleet) -> None:
    fleet.client.set_timeout_limit("short", 10)
    with pytest.raises(InvalidInput, match="give at most 10 seconds"):
        fleet.submit("true", project="short", timeout=11)
    job = fleet.submit("sh", "-c", "sleep 0.5; " + ASKS % (60, "refused"), timeout=3, project="short")
    ended = fleet.end(job)
    assert (ended.end_cause, ended.timeout_s) == (EndCause.TIMED_OUT, 3)
    assert "give at most 10 seconds" in json.loads(fleet.log(job)[-1])["asked"]


def test_a_job_cannot_write_where_it_is_told_things(fleet: Fleet) -> None:
    job = fleet.submit("sh", "-c", "touch /run/aitrain/x || ln -s /etc/shadow /run/aitrain/ask/timeout; sleep 1")
    assert fleet.end(job).state == JobState.DONE
    assert "Read-only" in fleet.log(job)[0]


def test_a_site_may_lift_the_limit(make_fleet: Callable[..., Fleet], engine: DockerEngine) -> None:
    fleet = make_fleet(limits={"max_timeout_seconds": 0})
    with fleet.site.host("h1", {"cpu": 1}, engine.url):
        job = fleet.submit("sh", "-c", "sleep 2; cat /run/aitrain/timeout.json")
        ended = fleet.end(job)
    assert (ended.state, ended.timeout_s, ended.deadline_ms) == (JobState.DONE, 0, None)
    assert json.loads(fleet.log(job)[0])["deadline"] == ""
    assert fleet.submit("true", timeout=10**8).timeout_s == 10**8


# ── retries ─────────────────────────────────────────────────────────────────────────────────────────────────────


def test_an_exit_code_that_is_worth_a_retry(fleet: Fleet) -> None:
    job = fleet.submit(
        "sh", "-c", "echo $AITRAIN_ATTEMPT; [ $AITRAIN_ATTEMPT = 3 ] || exit 75", max_retries=2, retry_exit_codes=[75]
    )
    ended = fleet.end(job)
    assert (ended.state, ended.attempt, ended.own_tries) == (JobState.DONE, 3, 2)
    assert [(end.cause, end.exit_code) for end in ended.earlier_attempts] == [(EndCause.EXIT_CODE, 75)] * 2
    assert "retry 2 of 2 in 0.6 s" in ended.earlier_attempts[1].message
    assert fleet.minutes(job) == [0, 0, 0]


def test_retries_end(fleet: Fleet) -> None:
    ended = fleet.end(fleet.submit("sh", "-c", "exit 75", max_retries=1))
    assert (ended.state, ended.attempt, ended.exit_code) == (JobState.FAILED, 2, 75)
    assert "given up after 1 retries" in ended.message


def test_other_exit_codes_are_not(fleet: Fleet) -> None:
    ended = fleet.end(fleet.submit("sh", "-c", "exit 3", max_retries=2, retry_exit_codes=[75]))
    assert (ended.state, ended.attempt) == (JobState.FAILED, 1)


def test_a_stopped_job_is_not_retried(fleet: Fleet) -> None:
    job = fleet.submit("sh", "-c", "trap 'exit 75' TERM; echo up; while true; do sleep 0.1; done", max_retries=5)
    fleet.until(job, "RUNNING")
    eventually(lambda: fleet.log(job) == ["up"], what="its trap")
    fleet.client.stop(job.id)
    ended = fleet.end(job)
    assert (ended.state, ended.attempt) == (JobState.INTERRUPTED, 1)


def test_a_registry_that_is_away_is_tried_again_and_then_given_up(fleet: Fleet) -> None:
    ended = fleet.end(fleet.submit("true", image="127.0.0.1:9/no/registry:1"))
    assert (ended.state, ended.code, ended.attempt) == (JobState.ERROR, InfoCode.JOB_REGISTRY_UNAVAILABLE, 4)
    assert {end.cause for end in ended.earlier_attempts} == {EndCause.REGISTRY_UNAVAILABLE}
    assert "given up after 3 retries" in ended.message
    waits = [b.at_ms - a.at_ms for a, b in zip(ended.history, ended.history[1:], strict=False) if a.state == "QUEUED"]
    assert all(wait >= 300 for wait in waits[1:]), "it paused"
    fleet.came_to_rest(ended, "h1")


def test_a_job_that_must_not_begin_twice(fleet: Fleet) -> None:
    ended = fleet.end(fleet.submit("true", image="127.0.0.1:9/no/registry:1", platform_retries=0))
    assert (ended.state, ended.attempt) == (JobState.ERROR, 1)


def test_results_wait_for_an_object_store_that_is_away(fleet: Fleet, bucket: str) -> None:
    """The push is put off again and again, and the job ends as it would have."""
    fleet.s3.create_bucket(Bucket=bucket)
    job = fleet.submit("sh", "-c", "echo x > /out/r; sleep 1", volumes=[f"{bucket}@s3:/out:rw"])
    fleet.until(job, "RUNNING")
    fleet.site.s3.kill()
    fleet.until(job, "FINALIZING")
    try:
        held: Any = eventually(lambda: fleet.client.get(job.id).push_tries and fleet.client.get(job.id), 60)
        assert "not pushed yet" in held.note
    finally:
        fleet.site.s3.start()
    ended = fleet.end(job)
    assert (ended.state, ended.attempt, ended.note) == (JobState.DONE, 1, "")
    assert fleet.objects(bucket) == {"r": b"x\n"}
    fleet.came_to_rest(ended, "h1")


def test_input_waits_for_an_object_store_that_is_away(fleet: Fleet, bucket: str) -> None:
    fleet.s3.create_bucket(Bucket=bucket)
    fleet.s3.put_object(Bucket=bucket, Key="x", Body=b"hello")
    fleet.site.s3.kill()
    try:
        job = fleet.submit("cat", "/in/x", volumes=[f"{bucket}@s3:/in"])
        fleet.until(job, "INITIALIZING")
        eventually(lambda: fleet.client.get(job.id).attempt == 2, 60, "a retry")
    finally:
        fleet.site.s3.start()
    ended = fleet.end(job)
    assert (ended.state, ended.earlier_attempts[0].cause) == (JobState.DONE, EndCause.DATA_FAULT)
    assert fleet.log(job) == ["hello"]
