"""Redis is lost, or the way to it: a host that is cut off stops its containers before they run elsewhere."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

import pytest

from aitrain import Job, JobState
from aitrain.domain.states import EndCause
from tests.acceptance.conftest import Fleet, eventually
from tests.acceptance.ruin import TIMING, Ruin, ended_once, site_to_break, works
from workers.scratch.link import Condition
from workers.scratch.servers import frozen


@pytest.fixture(scope="module")
def ruin(make_fleet: Callable[..., Fleet], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ruin]:
    with site_to_break(make_fleet, tmp_path_factory.mktemp("ruin")) as ruin:
        yield ruin


@pytest.fixture
def fleet(ruin: Ruin) -> Fleet:
    """For the logs of a failed test."""
    return ruin.fleet


pytestmark = [pytest.mark.usefixtures("fleet"), pytest.mark.timeout(240)]


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
