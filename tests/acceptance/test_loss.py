"""Loss of each part, with two hosts: an engine with live-restore and one without, each host behind its own link.

What runs goes on where its container can; what cannot is run again elsewhere, never twice at once; nothing ends in a
false state because something around it hiccuped.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import docker
import pytest
from redis import Redis

from aitrain import Job, JobState
from aitrain.domain.states import EndCause
from tests.acceptance.conftest import QUICK, Fleet, eventually
from workers.runtime import Labels
from workers.scratch.disk import SmallDisk
from workers.scratch.images import ensure_busybox
from workers.scratch.link import Condition, Link
from workers.scratch.servers import DockerEngine, RedisServer, S3Server, frozen
from workers.scratch.site import Aitrain

TIMING = {
    **QUICK,
    "host_lease_seconds": 4,
    "host_grace_seconds": 8,
    "host_lost_margin_seconds": 2,
    "retry_pause_seconds": 0.2,
    "retry_pause_max_seconds": 1,
    "stop_grace_seconds": 1,
}
DISK_MIB = 64


@dataclass
class Host:
    """One host and what may be taken from it."""

    name: str
    engine: DockerEngine
    link: Link
    disk: SmallDisk
    worker: Aitrain
    agent: Aitrain

    @property
    def docker(self) -> docker.DockerClient:
        return docker.DockerClient(base_url=self.engine.url)

    def containers(self, job: Job) -> list[Any]:
        """What the engine has of a job."""
        return self.docker.api.containers(all=True, filters={"label": f"{Labels.JOB}={job.id}"})

    def container(self, job: Job, attempt: int = 1) -> dict[str, Any] | None:
        """What the engine has of an attempt."""
        found = self.docker.api.containers(
            all=True, filters={"label": [f"{Labels.JOB}={job.id}", f"{Labels.ATTEMPT}={attempt}"]}
        )
        return self.docker.api.inspect_container(found[0]["Id"])["State"] if found else None

    def restart_engine(self, how: str, seconds: float = 1) -> None:
        """Ends the engine, kindly or not, and starts it again."""
        if how == "halt":
            self.engine.halt()
        else:
            self.engine.kill()
        time.sleep(seconds)
        self.engine.start()


@dataclass
class Ruin:
    """A site to break."""

    fleet: Fleet
    redis: RedisServer
    s3: S3Server
    hosts: dict[str, Host]

    @contextmanager
    def only(self, name: str) -> Iterator[Host]:
        """Has jobs placed on one host: the other takes none meanwhile, for its units are held."""
        other = next(host for host in self.hosts.values() if host.name != name)
        filler = self.fleet.submit("sleep", "600", cpu=2)
        while self.fleet.until(filler, "RUNNING").host != other.name:
            second = self.fleet.submit("sleep", "600", cpu=2)
            self.fleet.until(second, "RUNNING")
            self.fleet.client.delete(filler.id, force=True)
            filler = second
        try:
            yield self.hosts[name]
        finally:
            self.fleet.client.delete(filler.id, force=True)
            eventually(lambda: not self.fleet.client._store.get_many([filler.id]), 60, "the other host's units")

    def rest(self, job: Job) -> None:
        """The job holds nothing on either host."""
        for host in self.hosts.values():
            eventually(lambda h=host: not h.containers(job), 20, "no container")
            store = self.fleet.client._store
            assert job.id not in store._redis.hvals(store._key("host_units", host.name, "cpu"))


@pytest.fixture(scope="module")
def ruin(make_fleet: Callable[..., Fleet], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ruin]:
    directory = tmp_path_factory.mktemp("ruin")
    with ExitStack() as stack:
        redis = stack.enter_context(RedisServer(directory / "redis"))
        s3 = stack.enter_context(S3Server(directory / "s3"))
        fleet = make_fleet(redis_url=redis.url, s3=s3, timing=TIMING, limits={"platform_retries": 9})
        hosts = {}
        for name, live in (("h1", True), ("h2", False)):
            engine = stack.enter_context(DockerEngine(directory / f"engine-{name}", live_restore=live))
            ensure_busybox(engine.url)
            link = Link(redis.port).start()
            stack.callback(link.stop)
            disk = SmallDisk(directory / f"disk-{name}", DISK_MIB).mount()
            stack.callback(disk.unmount)
            processes = [
                fleet.site.host(
                    name, {"cpu": 2}, engine.url, role=role, data_dir=str(disk.path),
                    redis_url=f"redis://127.0.0.1:{link.port}/0",
                )
                for role in ("worker", "agent")
            ]  # fmt: skip
            hosts[name] = Host(name, engine, link, disk, *processes)
        for process in (
            fleet.site.control(),
            fleet.site.beat(),
            *(part for host in hosts.values() for part in (host.worker, host.agent)),
        ):
            stack.enter_context(process)
        # Each takes a whole host, so that both are at work before anything is broken.
        for first in [fleet.submit("true", cpu=2) for _ in hosts]:
            fleet.end(first)
        yield Ruin(fleet, redis, s3, hosts)


@pytest.fixture
def fleet(ruin: Ruin) -> Fleet:
    """For the logs of a failed test."""
    return ruin.fleet


pytestmark = [pytest.mark.usefixtures("fleet"), pytest.mark.timeout(240)]


# Writes a line for each attempt, and takes a polite stop for the end of its work, as trainers do that checkpoint.
WORKS = "trap 'exit 0' TERM; echo $AITRAIN_ATTEMPT >> /out/r; echo up; for i in $(seq %d); do sleep 0.1; done"


def works(ruin: Ruin, bucket: str, seconds: float, **fields: Any) -> Job:
    job = ruin.fleet.submit("sh", "-c", WORKS % (seconds * 10), volumes=[f"{bucket}@s3:/out:rw"], cpu=2, **fields)
    ruin.fleet.until(job, "RUNNING")
    eventually(lambda: ruin.fleet.log(job) == ["up"], what="its first line")
    return job


def ended_once(ruin: Ruin, job: Job, bucket: str) -> Job:
    """It ended as it would have without the loss: in its first attempt, in one container, for its true minutes."""
    ended = ruin.fleet.end(job, seconds=90)
    assert (ended.state, ended.attempt, ended.exit_code) == (JobState.DONE, 1, 0), ended.message
    assert ruin.fleet.objects(bucket) == {"r": b"1\n"}
    assert ruin.fleet.minutes(job) == [0]
    ruin.rest(job)
    return ended


# ── the engine ──────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("how", ["halt", "kill"])
def test_an_engine_with_live_restore_comes_back_and_the_job_never_noticed(ruin: Ruin, bucket: str, how: str) -> None:
    with ruin.only("h1") as host:
        job = works(ruin, bucket, 6)
        host.restart_engine(how)
        ended_once(ruin, job, bucket)


def test_what_ends_while_such_an_engine_is_away_is_reported_truly(ruin: Ruin, bucket: str) -> None:
    with ruin.only("h1") as host:
        job = works(ruin, bucket, 2)
        host.restart_engine("halt", seconds=4)
        ended = ended_once(ruin, job, bucket)
    assert 1900 < (ended.finished_ms or 0) - (ended.started_ms or 0) < 4000


@pytest.mark.parametrize("how", ["halt", "kill"])
def test_an_engine_without_it_takes_the_job_along_and_that_is_no_success(ruin: Ruin, bucket: str, how: str) -> None:
    """The job heeds the engine's SIGTERM and exits with 0. It is pushed, and runs again."""
    with ruin.only("h2") as host:
        job = works(ruin, bucket, 5)
        host.restart_engine(how)
        ended = ruin.fleet.end(job, seconds=90)
    assert (ended.state, ended.attempt) == (JobState.DONE, 2), ended.message
    assert ended.earlier_attempts[0].cause is EndCause.ENGINE_RESTARTED
    assert ruin.fleet.objects(bucket) == {"r": b"1\n2\n"}, "what it had written was pushed, and found again"
    assert ruin.fleet.minutes(job) == [0, 0]
    ruin.rest(job)


def test_a_host_whose_engine_is_away_gets_no_jobs(ruin: Ruin) -> None:
    host = ruin.hosts["h2"]
    host.engine.halt()
    try:
        store = ruin.fleet.client._store
        eventually(lambda: store._redis.hget(store._key("host", "h2"), "fit") == "0", what="word of it")
        job = ruin.fleet.submit("true", cpu=2)
        assert ruin.fleet.end(job).host == "h1"
    finally:
        host.engine.start()
    eventually(lambda: store._redis.hget(store._key("host", "h2"), "fit") == "1", what="word of its return")


# ── Redis, and the way to it ────────────────────────────────────────────────────────────────────────────────────


def test_redis_is_killed_and_comes_back(ruin: Ruin, bucket: str) -> None:
    job = works(ruin, bucket, 5)
    time.sleep(1.1)  # what the append-only file had no second to keep is not what this test is about
    ruin.redis.kill()
    time.sleep(2)
    ruin.redis.start()
    ended_once(ruin, job, bucket)


def test_redis_stands_still(ruin: Ruin, bucket: str) -> None:
    job = works(ruin, bucket, 8)
    with frozen(ruin.redis.pid):
        time.sleep(3)
    ended_once(ruin, job, bucket)


def test_a_host_that_is_cut_off_for_less_than_its_grace_goes_on(ruin: Ruin, bucket: str) -> None:
    job = works(ruin, bucket, 6)
    link = ruin.hosts[ruin.fleet.client.get(job.id).host].link
    link.be(Condition.CUT)
    time.sleep(2)
    link.be(Condition.OPEN)
    ended_once(ruin, job, bucket)


@pytest.mark.parametrize("condition", [Condition.CUT, Condition.FROZEN])
def test_a_host_that_is_cut_off_for_long_fences_itself(ruin: Ruin, bucket: str, condition: Condition) -> None:
    """Its job is stopped there before it begins elsewhere; when it is back, it cleans up and nothing of it counts."""
    job = works(ruin, bucket, 15)
    first = ruin.hosts[ruin.fleet.client.get(job.id).host]
    first.link.be(condition)
    try:
        stopped = eventually(
            lambda: (state := first.container(job)) and not state["Running"] and state, 30, "the host to fence itself"
        )
        assert ruin.fleet.client.get(job.id).attempt == 1, "nothing began elsewhere before that"
        moved = eventually(
            lambda: (now := ruin.fleet.client.get(job.id)).attempt == 2 and now.host and now, 40, "its loss"
        )
        assert moved.host != first.name
        assert moved.earlier_attempts[0].cause is EndCause.HOST_LOST
        ended = ruin.fleet.end(job, seconds=60)
    finally:
        first.link.be(Condition.OPEN)
    assert (ended.state, ended.attempt) == (JobState.DONE, 2)
    began = docker_ms(ended)
    assert began > engine_ms(stopped["FinishedAt"])
    assert ruin.fleet.objects(bucket) == {"r": b"2\n"}, "of the first attempt nothing was pushed"
    ruin.rest(job)
    eventually(lambda: not (first.disk.path / "jobs" / job.id).exists(), 20, "its files there gone")
    assert ruin.fleet.minutes(job) == [0, 0]
    eventually(lambda: len(live_hosts(ruin)) == 2, what="both hosts")


def docker_ms(job: Job) -> int:
    assert job.started_ms is not None
    return job.started_ms


def engine_ms(text: str) -> int:
    from workers.runtime.container import engine_time_ms

    at = engine_time_ms(text)
    assert at is not None
    return at


def live_hosts(ruin: Ruin) -> list[str]:
    store = ruin.fleet.client._store
    return list(store._redis.zrangebyscore(store._key("hosts"), time.time() * 1000, "+inf"))


def test_a_host_without_its_agent_is_fenced_by_its_worker(ruin: Ruin, bucket: str) -> None:
    job = works(ruin, bucket, 15)
    first = ruin.hosts[ruin.fleet.client.get(job.id).host]
    first.agent.kill()
    try:
        stopped = eventually(
            lambda: (state := first.container(job)) and not state["Running"] and state, 30, "the worker to fence it"
        )
        ended = ruin.fleet.end(job, seconds=90)
        assert (ended.state, ended.attempt) == (JobState.DONE, 2)
        assert docker_ms(ended) > engine_ms(stopped["FinishedAt"])
    finally:
        first.agent.start()
    ruin.rest(job)
    eventually(lambda: len(live_hosts(ruin)) == 2, what="both hosts")


def test_a_job_that_may_not_begin_twice_ends_when_its_host_is_lost(ruin: Ruin, bucket: str) -> None:
    job = works(ruin, bucket, 15, platform_retries=0)
    link = ruin.hosts[ruin.fleet.client.get(job.id).host].link
    link.be(Condition.CUT)
    try:
        ended = ruin.fleet.end(job, seconds=60)
    finally:
        link.be(Condition.OPEN)
    assert (ended.state, ended.end_cause, ended.attempt) == (JobState.ERROR, EndCause.HOST_LOST, 1)
    assert "was lost" in ended.message
    ruin.rest(job)
    eventually(lambda: len(live_hosts(ruin)) == 2, what="both hosts")


def test_a_host_that_fenced_itself_and_comes_back_in_time_says_so(ruin: Ruin, bucket: str) -> None:
    """Not lost yet: its own report stands, its results are pushed, and the job runs again."""
    job = works(ruin, bucket, 15)
    first = ruin.hosts[ruin.fleet.client.get(job.id).host]
    first.link.be(Condition.CUT)
    eventually(lambda: (state := first.container(job)) and not state["Running"], 30, "the host to fence itself")
    first.link.be(Condition.OPEN)
    again = eventually(lambda: (now := ruin.fleet.client.get(job.id)).attempt == 2 and now, 30, "its second attempt")
    assert again.earlier_attempts[0].cause is EndCause.HOST_CUT_OFF
    ruin.fleet.client.stop(job.id)
    ruin.fleet.end(job)
    assert ruin.fleet.objects(bucket)["r"].startswith(b"1\n")
    ruin.rest(job)


def test_a_stale_worker_pushes_nothing(ruin: Ruin, bucket: str) -> None:
    """It hangs in its push while its host is cut off and its lease lapses; what it held back then stays back."""
    ruin.fleet.s3.create_bucket(Bucket=bucket)
    job = ruin.fleet.submit(
        "sh", "-c", "dd if=/dev/zero of=/out/r bs=1M count=8 2>/dev/null; sleep 1", volumes=[f"{bucket}@s3:/out:rw"],
    )  # fmt: skip
    ruin.fleet.until(job, "RUNNING")
    host = ruin.hosts[ruin.fleet.client.get(job.id).host]
    with frozen(ruin.s3.pid):
        ruin.fleet.until(job, "FINALIZING")
        eventually(
            lambda: any(held.lease_live for held in ruin.fleet.client._store.host_jobs(host.name)), what="a push"
        )
        time.sleep(0.5)
        host.link.be(Condition.CUT)
        time.sleep(TIMING["step_lease_seconds"] + 1)
    time.sleep(2)
    assert ruin.fleet.objects(bucket) == {}, "it had lost its lease"
    host.link.be(Condition.OPEN)
    ended = ruin.fleet.end(job)
    assert (ended.state, ended.attempt) == (JobState.DONE, 1)
    assert len(ruin.fleet.objects(bucket)["r"]) == 8 * 1024 * 1024
    ruin.rest(job)


# ── the disk, the broker, beat ──────────────────────────────────────────────────────────────────────────────────


def test_a_disk_that_is_full_is_waited_for(ruin: Ruin, bucket: str) -> None:
    ruin.fleet.s3.create_bucket(Bucket=bucket)
    ruin.fleet.s3.put_object(Bucket=bucket, Key="x", Body=b"x" * 2**20)
    for host in ruin.hosts.values():
        host.disk.fill()
    try:
        job = ruin.fleet.submit("wc", "-c", "/in/x", volumes=[f"{bucket}@s3:/in"])
        tried = eventually(lambda: (now := ruin.fleet.client.get(job.id)).attempt > 1 and now, 30, "a retry")
        assert "No space left on device" in tried.earlier_attempts[0].message
    finally:
        for host in ruin.hosts.values():
            host.disk.relieve()
    ended = ruin.fleet.end(job)
    assert ended.state == JobState.DONE, ended.message
    assert ruin.fleet.log(job) == [f"{2**20} /in/x"]
    ruin.rest(job)


def test_jobs_in_every_state_survive_all_of_it_at_once(ruin: Ruin, bucket: str) -> None:
    """Waiting, copying, running, pushing: Redis killed, the broker emptied, both hosts' processes killed."""
    jobs = [works(ruin, f"{bucket}{n}", 4) for n in range(2)]
    jobs += [
        ruin.fleet.submit("sh", "-c", "echo $AITRAIN_ATTEMPT > /out/r", volumes=[f"{bucket}{n}@s3:/out:rw"], cpu=2)
        for n in range(2, 5)
    ]
    time.sleep(1.1)
    ruin.redis.kill()
    for host in ruin.hosts.values():
        host.worker.kill()
        host.agent.kill()
    ruin.redis.start()
    redis: Any = Redis.from_url(ruin.redis.url)
    for key in redis.keys(f"{ruin.fleet.site.settings.namespace}:*"):
        if redis.type(key) == b"list":
            redis.delete(key)
    for host in ruin.hosts.values():
        host.worker.start()
        host.agent.start()
    for number, job in enumerate(jobs):
        ended = ruin.fleet.end(job, seconds=90)
        # On a slow machine the processes may be away for longer than the grace; then a host may stop what it ran.
        causes = [end.cause for end in ended.earlier_attempts]
        assert (ended.state, causes) == (JobState.DONE, [EndCause.HOST_CUT_OFF] * len(causes)), ended.message
        assert ruin.fleet.objects(f"{bucket}{number}")["r"].endswith(f"{ended.attempt}\n".encode())
        assert ruin.fleet.minutes(job) == [0] * ended.attempt
        ruin.rest(job)


def test_a_timeout_needs_no_beat_and_no_control_worker(make_fleet: Callable[..., Fleet], engine: DockerEngine) -> None:
    fleet = make_fleet()
    with fleet.site.host("h1", {"cpu": 1}, engine.url):
        ended = fleet.end(fleet.submit("sleep", "60", timeout=2))
    assert ended.end_cause is EndCause.TIMED_OUT
    reached = next(entry.at_ms for entry in ended.history if entry.state == "TIMEOUT")
    running = next(entry.at_ms for entry in ended.history if entry.state == "RUNNING")
    assert 2000 <= reached - running < 4000


def test_a_timeout_is_marked_while_the_agent_is_away_and_carried_out_when_it_is_back(
    make_fleet: Callable[..., Fleet], engine: DockerEngine
) -> None:
    fleet = make_fleet()
    agent = fleet.site.host("h1", {"cpu": 1}, engine.url, role="agent")
    with ExitStack() as stack:
        for process in (
            fleet.site.control(), fleet.site.beat(), fleet.site.host("h1", {"cpu": 1}, engine.url, role="worker"), agent
        ):  # fmt: skip
            stack.enter_context(process)
        job = fleet.submit("sh", "-c", "echo up; sleep 60", timeout=3)
        fleet.until(job, "RUNNING")
        agent.kill()
        fleet.until(job, "TIMEOUT")
        agent.start()
        ended = fleet.end(job)
    assert (ended.state, ended.end_cause) == (JobState.INTERRUPTED, EndCause.TIMED_OUT)
    assert fleet.starts(job) == 1


def test_one_job_and_many_kills_of_worker_and_agent_together(
    make_fleet: Callable[..., Fleet], engine: DockerEngine, tmp_path: Path
) -> None:
    """One container, one end, one right bill."""
    fleet = make_fleet()
    worker, agent = (fleet.site.host("h1", {"cpu": 1}, engine.url, role=role) for role in ("worker", "agent"))
    with worker, agent:
        job = fleet.submit("sleep", "12")
        for number in range(8):
            time.sleep(0.1 + 0.37 * (number % 4))
            worker.kill()
            agent.kill()
            worker.start()
            agent.start()
        ended = fleet.end(job, seconds=90)
        assert (ended.state, ended.attempt) == (JobState.DONE, 1)
        assert fleet.starts(job) == 1
        assert fleet.minutes(job) == [0]
        fleet.came_to_rest(ended, "h1")
