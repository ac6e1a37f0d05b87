"""Orders on data: results pushed again or kept for a time, copies while the job runs, and what may break meanwhile."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from redis import Redis

from aitrain import InvalidInput, Job, JobState
from aitrain.domain.copying import CopyState
from aitrain.domain.states import EndCause, InfoCode
from tests.acceptance.conftest import QUICK, Fleet, eventually
from workers.scratch.servers import DockerEngine, S3Server, frozen
from workers.scratch.site import CLI, Aitrain

MONTH_MS = 30 * 86_400_000


class Bench:
    """A site whose worker may be killed and whose S3 server may be broken."""

    def __init__(
        self, make_fleet: Callable[..., Fleet], engine: DockerEngine, directory: Path, stack: ExitStack
    ) -> None:
        self.s3 = stack.enter_context(S3Server(directory / "s3"))
        self.fleet = make_fleet(s3=self.s3, timing=QUICK)
        self.worker, self.agent = (self._process(role, engine) for role in ("worker", "agent"))
        for process in (self.worker, self.agent):
            stack.enter_context(process)

    def _process(self, role: str, engine: DockerEngine) -> Aitrain:
        return self.fleet.site.host("h1", {"cpu": 4}, engine.url, role=role)

    def cli(self, *arguments: str, status: int = 0) -> str:
        """What a command says."""
        return command(self.fleet.site.environment(), *arguments, status=status)

    def running(self, script: str, *volumes: str, **fields: Any) -> Job:
        """A job that runs and has said so."""
        job = self.fleet.submit("sh", "-c", f"echo up; {script}", volumes=list(volumes), **fields)
        self.fleet.until(job, "RUNNING")
        eventually(lambda: self.fleet.log(job)[:1] == ["up"], what="its first line")
        return job

    def not_pushed(self, bucket: str, script: str = "echo x > /out/r", **fields: Any) -> Job:
        """A job that ended ERROR because it may not write to its container any more."""
        self.fleet.s3.create_bucket(Bucket=bucket)
        job = self.running("until [ -f /out/go ]; do sleep 0.1; done; " + script, f"{bucket}@s3:/out:rw", **fields)
        self.lose()
        volume(self.fleet, job, "h1").joinpath("go").write_text("")
        ended = self.fleet.end(job)
        assert (ended.state, ended.code) == (JobState.ERROR, InfoCode.JOB_SYNC_FAILED), ended.message
        return ended

    def lose(self) -> None:
        """The keys of the data store are good for nothing any more."""
        self._restart("another-secret-key")

    def mend(self) -> None:
        """They are good again."""
        self._restart(S3Server.secret_access_key)

    def _restart(self, secret: str) -> None:
        self.s3.stop()
        self.s3.secret_access_key = secret
        self.s3.start()

    def bill(self, job: Job) -> list[Any]:
        """The rows of the ledger of a job."""
        return [row for row in self.fleet.client.ledger(job.project) if row.job_id == job.id]

    def at_work(self, job: Job) -> bool:
        """A step holds the lease on the job's work."""
        return any(held.lease_live for held in self.fleet.client._store.host_jobs("h1") if held.job_id == job.id)

    def copy_state(self, job: Job) -> CopyState | None:
        """How far the last ordered copy of a job is."""
        copy = self.fleet.client.last_copy(job.id)
        return None if copy is None else copy.state


def command(env: dict[str, str], *arguments: str, status: int = 0) -> str:
    done = subprocess.run(
        [CLI, *arguments], env={**os.environ, "COLUMNS": "200", **env}, capture_output=True, text=True, timeout=90,
        check=False,
    )  # fmt: skip
    assert done.returncode == status, f"{arguments}: {done.returncode}\n{done.stdout}\n{done.stderr}"
    return done.stdout if status == 0 else done.stdout + done.stderr


def volume(fleet: Fleet, job: Job, host: str, number: int = 0) -> Path:
    """What a job sees in a volume, on the host's disk."""
    return (
        fleet.site.directory
        / host
        / "jobs"
        / job.id
        / fleet.client.get(job.id).fence
        / "volumes"
        / str(number)
        / "data"
    )


WRITES = "echo %s > /out/checkpoint; n=0; while [ ! -f /out/stop ]; do n=$((n+1)); echo $n > /out/step; sleep 0.1; done"


def let_end(bench: Bench, job: Job) -> Job:
    volume(bench.fleet, job, "h1").joinpath("stop").write_text("")
    return bench.fleet.end(job)


@pytest.fixture(scope="module")
def bench(
    make_fleet: Callable[..., Fleet], engine: DockerEngine, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Bench]:
    with ExitStack() as stack:
        yield Bench(make_fleet, engine, tmp_path_factory.mktemp("bench"), stack)


@pytest.fixture
def fleet(bench: Bench) -> Fleet:
    """For the logs of a failed test."""
    return bench.fleet


pytestmark = pytest.mark.usefixtures("fleet")


# ── retry_push ──────────────────────────────────────────────────────────────────────────────────────────────────


def test_results_are_pushed_again_once_the_store_is_mended(bench: Bench, bucket: str) -> None:
    ended = bench.not_pushed(bucket)
    bill = bench.bill(ended)
    assert len(bill) == 1
    assert ended.kept_until_ms is not None
    assert abs(ended.kept_until_ms - ended.state_ms - MONTH_MS) < 1000
    assert "its results stay on host h1 until 20" in ended.message
    assert json.loads(bench.cli("job", "get", ended.id, "-o", "json"))["kept_until_ms"] == ended.kept_until_ms

    bench.cli("job", "retry-push", ended.id)
    again = bench.fleet.end(ended)
    assert (again.state, again.code) == (JobState.ERROR, InfoCode.JOB_SYNC_FAILED), "it is not mended yet"
    bench.mend()
    said = bench.cli("job", "retry-push", ended.id, "--watch")
    assert "FINALIZING" in said

    done = bench.fleet.client.get(ended.id)
    assert (done.state, done.attempt, done.fence, done.message) == (JobState.DONE, 1, ended.fence, "")
    assert (done.end_cause, done.exit_code) == (EndCause.COMPLETED, 0)
    assert (done.started_ms, done.finished_ms, done.ran_ms) == (ended.started_ms, ended.finished_ms, ended.ran_ms)
    assert (done.kept_until_ms, bench.bill(done)) == (None, bill)
    assert bench.fleet.objects(bucket)["r"] == b"x\n"
    assert bench.fleet.starts(done) == 1
    assert [entry.state for entry in done.history][-5:] == ["ERROR", "FINALIZING", "ERROR", "FINALIZING", "DONE"]
    bench.fleet.came_to_rest(done, "h1")
    assert "nothing to push" in bench.cli("job", "retry-push", ended.id, status=1)


def test_a_job_that_would_be_retried_is_only_pushed(bench: Bench, bucket: str) -> None:
    """A push alone was ordered: another run would be billed."""
    ended = bench.not_pushed(bucket, "echo x > /out/r; exit 3", max_retries=2)
    bench.mend()
    assert bench.fleet.client.retry_push(ended.id, by="ann").done
    assert bench.fleet.client.retry_push(ended.id).why in ("alive", "nothing"), "twice does nothing twice"
    done = bench.fleet.end(ended)
    assert (done.state, done.exit_code, done.attempt) == (JobState.FAILED, 3, 1)
    assert "exited with 3" in done.message
    assert (bench.fleet.objects(bucket)["r"], bench.fleet.minutes(done)) == (b"x\n", [0])
    assert any(entry.message == "to be pushed again, by ann" for entry in done.history)


def test_kill_while_results_are_pushed_again(bench: Bench, bucket: str) -> None:
    ended = bench.not_pushed(bucket)
    bench.mend()
    with frozen(bench.s3.pid):
        assert bench.fleet.client.retry_push(ended.id).done
        eventually(lambda: bench.at_work(ended), what="sync_out at work")
        bench.worker.kill()
    bench.worker.start()
    done = bench.fleet.end(ended)
    assert (done.state, done.attempt, bench.fleet.minutes(done)) == (JobState.DONE, 1, [0])
    assert bench.fleet.objects(bucket)["r"] == b"x\n"
    bench.fleet.came_to_rest(done, "h1")


def test_an_order_whose_message_was_lost_is_found(bench: Bench, bucket: str) -> None:
    ended = bench.not_pushed(bucket)
    bench.mend()
    bench.worker.kill()
    assert bench.fleet.client.retry_push(ended.id).done
    empty_the_queues(bench.fleet)
    bench.worker.start()
    assert bench.fleet.end(ended).state == JobState.DONE


def empty_the_queues(fleet: Fleet) -> None:
    redis, settings = Redis.from_url(fleet.site.settings.redis_url), fleet.site.settings
    for key in redis.scan_iter(f"{settings.namespace}:cpu.*"):
        redis.delete(key)


def test_results_that_are_not_on_the_host_are_no_success(bench: Bench, bucket: str) -> None:
    ended = bench.not_pushed(bucket)
    bench.mend()
    shutil.rmtree(volume(bench.fleet, ended, "h1").parents[2])
    assert bench.fleet.client.retry_push(ended.id).done
    again = bench.fleet.end(ended)
    assert (again.state, again.code) == (JobState.ERROR, InfoCode.JOB_SYNC_FAILED)
    assert "host h1 does not have its results any more" in again.message


# ── retention ───────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def brief(
    make_fleet: Callable[..., Fleet], engine: DockerEngine, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Bench]:
    """A site that keeps what it could not push for some seconds."""

    def make(**fields: Any) -> Fleet:
        return make_fleet(limits={"results_retention_seconds": 25}, **fields)

    with ExitStack() as stack:
        yield Bench(make, engine, tmp_path_factory.mktemp("brief"), stack)


def test_results_go_after_their_time_and_not_before_also_of_a_job_that_is_deleted(brief: Bench) -> None:
    # Two on one site, since most of their time is waited for.
    ended = brief.not_pushed(f"b{uuid.uuid4().hex[:8]}")
    brief.mend()
    gone = brief.not_pushed(f"b{uuid.uuid4().hex[:8]}")
    data, left = (volume(brief.fleet, job, "h1") for job in (ended, gone))
    assert (data / "r").read_text() == "x\n"
    host = {"name": "h1", "units": {"cpu": 4}, "data_dir": str(brief.fleet.site.directory / "h1")}
    env = brief.fleet.site.environment(host=host)

    def kept() -> dict[str, Any]:
        return {one["job"]: one for one in json.loads(command(env, "data", "kept", "-o", "json"))}

    known = kept()[gone.id]
    assert (known["attempt"], known["known"], known["until_ms"]) == (1, True, gone.kept_until_ms)
    assert known["size"] > 0
    assert brief.fleet.client.delete(gone.id).done
    assert not kept()[gone.id]["known"]
    assert gone.id in command(env, "data", "kept")
    assert left.exists(), "counted anew from when its job was gone"

    eventually(lambda: not data.exists(), 40, "the end of its time")
    store = brief.fleet.client._store
    now = store._redis.time()
    assert 1000 * now[0] + now[1] / 1000 >= (ended.kept_until_ms or 0)
    assert "removed" in brief.cli("job", "retry-push", ended.id, status=1)
    assert "are removed from host h1" in brief.fleet.client.get(ended.id).note
    assert "was kept for its time, and is removed now" in brief.agent.log.read_text()

    eventually(lambda: not left.exists(), 60, "the end of its time")
    assert kept() == {}


# ── push_data and pull_data ─────────────────────────────────────────────────────────────────────────────────────


def test_a_checkpoint_is_pushed_while_the_job_goes_on_writing(bench: Bench, bucket: str) -> None:
    job = bench.running(WRITES % "one", f"{bucket}@s3/run:/out:rw")
    before = bench.fleet.client.get(job.id)
    said = bench.cli("job", "push-data", job.id)
    assert "push DONE: /out: " in said
    assert bench.fleet.objects(bucket)["run/checkpoint"] == b"one\n"
    now = bench.fleet.client.get(job.id)
    assert (now.state, now.copying, now.history) == (JobState.RUNNING, None, before.history)
    assert (now.fence, now.deadline_ms) == (before.fence, before.deadline_ms)
    assert now.progress["/out"].direction == "push"
    assert not bench.at_work(job), "it holds no pool slot"
    bench.cli("job", "push-data", job.id, "/out")
    ended = let_end(bench, job)
    assert (ended.state, bench.fleet.minutes(job), bench.fleet.starts(job)) == (JobState.DONE, [0], 1)
    assert bench.fleet.objects(bucket)["run/stop"] == b""
    bench.fleet.came_to_rest(ended, "h1")


def test_new_input_is_pulled_into_a_running_job(bench: Bench, bucket: str) -> None:
    bench.fleet.s3.create_bucket(Bucket=bucket)
    bench.fleet.s3.put_object(Bucket=bucket, Key="in/a", Body=b"a")
    job = bench.running("until [ -f /in/b ]; do sleep 0.1; done; cat /in/b", f"{bucket}@s3/in:/in:ro")
    bench.fleet.s3.put_object(Bucket=bucket, Key="in/b", Body=b"new\n")
    assert "pull DONE: /in: 1 files" in bench.cli("job", "pull-data", job.id, "/in")
    ended = bench.fleet.end(job)
    assert (ended.state, bench.fleet.log(job)) == (JobState.DONE, ["up", "new"])


def test_a_dry_run_changes_nothing(bench: Bench, bucket: str) -> None:
    bench.fleet.s3.create_bucket(Bucket=bucket)
    job = bench.running(WRITES % "one", f"{bucket}@s3:/out:rw")
    bench.fleet.s3.put_object(Bucket=bucket, Key="new", Body=b"new")
    progress = bench.fleet.client.get(job.id).progress
    assert "checkpoint" in bench.cli("job", "push-data", job.id, "--dry-run")
    assert "new" in bench.cli("job", "pull-data", job.id, "--dry-run")
    assert bench.fleet.objects(bucket) == {"new": b"new"}
    assert not volume(bench.fleet, job, "h1").joinpath("new").exists()
    assert bench.fleet.client.get(job.id).progress == progress
    let_end(bench, job)


def test_what_cannot_be_copied_is_refused(bench: Bench, bucket: str) -> None:
    bench.fleet.s3.create_bucket(Bucket=bucket)
    job = bench.running("sleep 60", f"{bucket}@s3/in:/in", f"{bucket}@s3/out:/out:rw")
    said = bench.cli("job", "push-data", job.id, "/in", status=2)
    assert "mounted read-only (ro)" in said
    with pytest.raises(InvalidInput, match="it has: /in, /out"):
        bench.fleet.client.pull_data(job.id, "/nowhere")
    with frozen(bench.s3.pid):
        first = bench.fleet.client.push_data(job.id, wait=0)
        assert first.copy is not None
        second = bench.fleet.client.pull_data(job.id)
        assert (second.done, second.why, second.copy and second.copy.id) == (False, "busy", first.copy.id)
    eventually(lambda: bench.copy_state(job) is CopyState.DONE, what="the first one's end")
    bench.fleet.client.stop(job.id)
    bench.fleet.end(job)
    assert "only while it runs" in bench.cli("job", "push-data", job.id, status=1)


def test_a_copy_that_fails_does_not_end_the_job(bench: Bench, bucket: str) -> None:
    bench.fleet.s3.create_bucket(Bucket=bucket)
    job = bench.running(WRITES % "one", f"{bucket}@s3:/out:rw")
    bench.lose()
    answer = bench.fleet.client.push_data(job.id)
    assert answer.copy is not None
    assert (answer.copy.state, bool(answer.copy.code)) == (CopyState.FAILED, True)
    assert bucket in answer.copy.error
    assert bench.cli("job", "push-data", job.id, status=1).startswith(f"{job.id} push FAILED: ")
    assert bench.fleet.client.get(job.id).state == JobState.RUNNING
    bench.mend()
    assert let_end(bench, job).state == JobState.DONE
    assert bench.fleet.objects(bucket)["checkpoint"] == b"one\n"


def test_kill_while_a_running_jobs_data_is_pushed(bench: Bench, bucket: str) -> None:
    bench.fleet.s3.create_bucket(Bucket=bucket)
    job = bench.running(WRITES % "one", f"{bucket}@s3:/out:rw")
    with frozen(bench.s3.pid):
        bench.fleet.client.push_data(job.id, wait=0)
        eventually(lambda: bench.copy_state(job) is CopyState.WORKING, what="the copy at work")
        bench.worker.kill()
    assert bench.fleet.client.get(job.id).state == JobState.RUNNING
    bench.worker.start()
    eventually(lambda: bench.copy_state(job) is CopyState.DONE, what="another delivery's end")
    assert bench.fleet.objects(bucket)["checkpoint"] == b"one\n"
    ended = let_end(bench, job)
    assert (ended.state, ended.attempt, bench.fleet.minutes(job)) == (JobState.DONE, 1, [0])
    bench.fleet.came_to_rest(ended, "h1")


def test_a_copy_ends_with_the_run_and_the_last_push_does_the_rest(bench: Bench, bucket: str) -> None:
    bench.fleet.s3.create_bucket(Bucket=bucket)
    job = bench.running(WRITES % "one", f"{bucket}@s3:/out:rw")
    with frozen(bench.s3.pid):
        bench.fleet.client.push_data(job.id, wait=0)
        eventually(lambda: bench.copy_state(job) is CopyState.WORKING, what="the copy at work")
        bench.fleet.client.stop(job.id)
        bench.fleet.until(job, "FINALIZING")
        copy = bench.fleet.client.last_copy(job.id)
        assert copy is not None
        assert (copy.state, bench.fleet.client.get(job.id).copying) == (CopyState.FAILED, None)
        assert "left RUNNING for INTERRUPTING" in copy.error
    ended = bench.fleet.end(job)
    assert ended.state == JobState.INTERRUPTED
    assert bench.fleet.objects(bucket)["checkpoint"] == b"one\n"
    bench.fleet.came_to_rest(ended, "h1")


def test_a_copy_whose_message_was_lost_is_found(bench: Bench, bucket: str) -> None:
    job = bench.running(WRITES % "one", f"{bucket}@s3:/out:rw")
    bench.worker.kill()
    bench.fleet.client.push_data(job.id, wait=0)
    empty_the_queues(bench.fleet)
    bench.worker.start()
    eventually(lambda: bench.copy_state(job) is CopyState.DONE, what="its end")
    let_end(bench, job)
