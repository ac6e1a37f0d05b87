"""An engine is lost, with live-restore and without, and so is a disk."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from redis import Redis

from aitrain import JobState
from aitrain.domain.states import EndCause
from tests.acceptance.conftest import Fleet, eventually
from tests.acceptance.ruin import Ruin, ended_once, site_to_break, works


@pytest.fixture(scope="module")
def ruin(make_fleet: Callable[..., Fleet], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ruin]:
    with site_to_break(make_fleet, tmp_path_factory.mktemp("ruin")) as ruin:
        yield ruin


@pytest.fixture
def fleet(ruin: Ruin) -> Fleet:
    """For the logs of a failed test."""
    return ruin.fleet


pytestmark = [pytest.mark.usefixtures("fleet"), pytest.mark.timeout(240)]


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
