"""kill -9 of the worker in each step, of the agent, of both; lost messages; a broker that was emptied.

After the restart the job ends as it would have, once: one container, one end, one right bill, nothing left.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from redis import Redis

from aitrain import Job, JobState
from tests.acceptance.conftest import Fleet, eventually
from workers.runtime.container import engine_time_ms
from workers.scratch.images import ensure_busybox
from workers.scratch.servers import DockerEngine, RedisServer, S3Server, frozen
from workers.scratch.site import Aitrain


class CrashSite:
    """A site whose parts may be broken: its own engine and S3 server, worker and agent apart."""

    def __init__(self, make_fleet: Callable[..., Fleet], directory: Path, stack: ExitStack) -> None:
        self.s3 = stack.enter_context(S3Server(directory / "s3"))
        self.engine = stack.enter_context(DockerEngine(directory / "engine"))
        ensure_busybox(self.engine.url)
        self.fleet = make_fleet(s3=self.s3, docker_url=self.engine.url)
        self.worker: Aitrain = self._process("worker")
        self.agent: Aitrain = self._process("agent")
        for process in (self.worker, self.agent):
            stack.enter_context(process)

    def _process(self, role: str) -> Aitrain:
        return self.fleet.site.host("h1", {"cpu": 2}, self.engine.url, role=role)

    def crash_worker(self) -> None:
        self.worker.kill()
        self.worker.start()

    def crash_agent(self) -> None:
        self.agent.kill()
        self.agent.start()

    def ended_well(self, job: Job, bucket: str) -> None:
        """The job ended as it would have without the crash."""
        ended = self.fleet.end(job)
        assert (ended.state, ended.exit_code, ended.attempt) == (JobState.DONE, 0, 1), ended.message
        assert [entry.state for entry in ended.history] == [
            "QUEUED", "INITIALIZING", "PENDING", "RUNNING", "FINALIZING", "DONE",
        ]  # fmt: skip
        assert self.fleet.starts(job) == 1
        assert self.fleet.minutes(job) == [0]
        assert self.fleet.objects(bucket)["out/r"] == b"data\n"
        assert self.fleet.log(job) == ["read", "wrote"]
        self.fleet.came_to_rest(job, "h1")

    def job(self, bucket: str, pause: str = "0") -> Job:
        """Reads its input and writes its output, with a pause between."""
        self.fleet.s3.create_bucket(Bucket=bucket)
        self.fleet.s3.put_object(Bucket=bucket, Key="in/x", Body=b"data\n")
        command = f"cat /in/x > /tmp/x; echo read; sleep {pause}; cat /tmp/x >> /out/r; echo wrote"
        return self.fleet.submit("sh", "-c", command, volumes=[f"{bucket}@s3/in:/in", f"{bucket}@s3/out:/out:rw"])


@pytest.fixture(scope="module")
def crash(make_fleet: Callable[..., Fleet], tmp_path_factory: pytest.TempPathFactory) -> Iterator[CrashSite]:
    """One site for all crashes: each finds it as the last one left it."""
    with ExitStack() as stack:
        yield CrashSite(make_fleet, tmp_path_factory.mktemp("crash"), stack)


@pytest.fixture
def crash_fleet(crash: CrashSite) -> Fleet:
    """For the logs of a failed test."""
    return crash.fleet


pytestmark = pytest.mark.usefixtures("crash_fleet")


def lease_is_held(crash: CrashSite, job: Job) -> bool:
    return any(held.lease_live for held in crash.fleet.client._store.host_jobs("h1") if held.job_id == job.id)


def test_kill_in_sync_in(crash: CrashSite, bucket: str) -> None:
    crash.fleet.s3.create_bucket(Bucket=f"{bucket}x")
    with frozen(crash.s3.pid):
        job = crash.fleet.submit("true", volumes=[f"{bucket}x@s3:/in"])
        eventually(lambda: lease_is_held(crash, job), what="sync_in at work")
        crash.worker.kill()
    crash.worker.start()
    assert crash.fleet.end(job).state == JobState.DONE
    assert crash.fleet.starts(job) == 1
    crash.fleet.came_to_rest(job, "h1")
    crash.ended_well(crash.job(bucket), bucket)


def test_kill_in_start_container(crash: CrashSite, bucket: str) -> None:
    """The engine is frozen; what the step asked of it, it does when it goes on, with no worker there."""
    job = crash.job(bucket, pause="1")
    crash.fleet.until(job, "INITIALIZING", "PENDING")
    with frozen(crash.engine.pid):
        crash.fleet.until(job, "PENDING", "RUNNING")
        eventually(lambda: crash.fleet.client.get(job.id).state == "RUNNING" or lease_is_held(crash, job))
        crash.worker.kill()
    crash.worker.start()
    crash.ended_well(job, bucket)


@pytest.mark.parametrize("delay", [0.0, 0.05, 0.1, 0.2, 0.3])
def test_kill_around_create_and_start(crash: CrashSite, bucket: str, delay: float) -> None:
    """At moments between the first request to the engine and the container's first second."""
    job = crash.job(bucket, pause="1")
    crash.fleet.until(job, "PENDING", "RUNNING")
    time.sleep(delay)
    crash.crash_worker()
    crash.ended_well(job, bucket)


def test_kill_in_monitor(crash: CrashSite, bucket: str) -> None:
    job = crash.job(bucket, pause="1")
    crash.fleet.until(job, "RUNNING")
    crash.crash_worker()
    crash.ended_well(job, bucket)


def test_kill_in_sync_out(crash: CrashSite, bucket: str) -> None:
    job = crash.job(bucket, pause="1")
    crash.fleet.until(job, "RUNNING")
    with frozen(crash.s3.pid):
        crash.fleet.until(job, "FINALIZING")
        eventually(lambda: lease_is_held(crash, job), what="sync_out at work")
        crash.worker.kill()
    crash.worker.start()
    crash.ended_well(job, bucket)


def test_kill_of_the_worker_while_the_container_runs_does_not_touch_it(crash: CrashSite, bucket: str) -> None:
    """The whole run and its end pass without a worker; the results are pushed when it is back."""
    job = crash.job(bucket, pause="1")
    crash.fleet.until(job, "RUNNING")
    crash.worker.kill()
    crash.fleet.until(job, "FINALIZING")
    crash.worker.start()
    crash.ended_well(job, bucket)


def test_kill_of_the_agent_while_the_container_runs(crash: CrashSite, bucket: str) -> None:
    job = crash.job(bucket, pause="2")
    crash.fleet.until(job, "RUNNING")
    crash.crash_agent()
    crash.ended_well(job, bucket)


def test_what_ended_while_no_agent_looked_is_reported_with_the_engines_times(crash: CrashSite, bucket: str) -> None:
    job = crash.job(bucket, pause="0.5")
    crash.fleet.until(job, "RUNNING")
    crash.agent.kill()
    name = f"aitrain-{job.id}-1"
    eventually(lambda: not crash.fleet.docker.api.inspect_container(name)["State"]["Running"], what="the exit")
    state = crash.fleet.docker.api.inspect_container(name)["State"]
    assert crash.fleet.client.get(job.id).state == "RUNNING"
    crash.agent.start()
    crash.ended_well(job, bucket)
    ended = crash.fleet.client.get(job.id)
    assert ended.started_ms == engine_time_ms(state["StartedAt"])
    assert ended.finished_ms == engine_time_ms(state["FinishedAt"])


def test_kill_of_both_at_once(crash: CrashSite, bucket: str) -> None:
    job = crash.job(bucket, pause="1")
    crash.fleet.until(job, "RUNNING")
    crash.worker.kill()
    crash.agent.kill()
    crash.worker.start()
    crash.agent.start()
    crash.ended_well(job, bucket)


def test_a_timeout_that_passed_while_the_agent_was_away(crash: CrashSite) -> None:
    job = crash.fleet.submit("sleep", "60", timeout=1)
    crash.fleet.until(job, "RUNNING")
    crash.crash_agent()
    ended = crash.fleet.end(job)
    assert (ended.state, ended.code) == (JobState.INTERRUPTED, "JOB_TIMEOUT")
    crash.fleet.came_to_rest(job, "h1")


def test_a_stop_while_data_is_copied(crash: CrashSite, bucket: str) -> None:
    crash.fleet.s3.create_bucket(Bucket=bucket)
    with frozen(crash.s3.pid):
        job = crash.fleet.submit("true", volumes=[f"{bucket}@s3:/in"])
        eventually(lambda: lease_is_held(crash, job), what="sync_in at work")
        crash.fleet.client.stop(job.id)
    ended = crash.fleet.end(job)
    assert (ended.state, ended.billed_minutes) == (JobState.INTERRUPTED, 0)
    assert crash.fleet.starts(job) == 0
    crash.fleet.came_to_rest(job, "h1")


def test_a_broker_that_was_emptied_loses_nothing(crash: CrashSite, bucket: str, redis: RedisServer) -> None:
    """Every message of the host is thrown away again and again while the job makes its way."""
    broker = Redis.from_url(redis.url)
    queue = f"{crash.fleet.site.settings.namespace}:cpu.cpu.h1"
    crash.worker.kill()
    job = crash.job(bucket)
    eventually(lambda: broker.llen(queue), what="the chain's message")
    broker.delete(queue)
    crash.worker.start()
    crash.fleet.until(job, "FINALIZING", "DONE")
    crash.ended_well(job, bucket)


def test_redis_killed_and_restarted_with_a_job_running(
    make_fleet: Callable[..., Fleet], engine: DockerEngine, s3: S3Server, tmp_path: Path, bucket: str
) -> None:
    with RedisServer(tmp_path / "redis") as own:
        fleet = make_fleet(redis_url=own.url)
        with fleet.site.host("h1", {"cpu": 1}, engine.url):
            job = fleet.submit("sh", "-c", "sleep 3; echo x > /out/r", volumes=[f"{bucket}@s3:/out:rw"])
            fleet.until(job, "RUNNING")
            own.kill()
            own.start()
            ended = fleet.end(job)
            assert (ended.state, ended.attempt) == (JobState.DONE, 1)
            assert fleet.starts(job) == 1
            assert fleet.minutes(job) == [0]
            assert fleet.objects(bucket) == {"r": b"x\n"}
            fleet.came_to_rest(job, "h1")
