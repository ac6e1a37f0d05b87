"""Jobs run on while worker, agent and control worker are replaced; and a store that went back in time."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial

import pytest
from redis import Redis

from aitrain import Job, JobState
from tests.acceptance.conftest import Fleet, eventually
from workers.scratch.servers import DockerEngine, RedisServer
from workers.scratch.site import Aitrain

WAITS = "while [ ! -e /run/aitrain/ask/go ]; do sleep 0.1; done"


@dataclass
class Site:
    """A site over a Redis of its own, each process apart."""

    fleet: Fleet
    server: RedisServer
    control: Aitrain
    worker: Aitrain
    agent: Aitrain

    def replace(self, *processes: Aitrain, kindly: bool = True) -> None:
        """Ends processes, starts them again as another version would be, and waits until they are at work."""
        key = self.fleet.client._store._key
        signs = {
            id(self.control): lambda redis: redis.exists(key("policy")),
            id(self.worker): lambda redis: redis.hexists(key("host_versions", "h1"), "worker"),
            id(self.agent): lambda redis: redis.hexists(key("host_versions", "h1"), "agent"),
        }
        for process in processes:
            process.stop() if kindly else process.kill()
        with Redis.from_url(self.server.url) as redis:
            redis.delete(key("policy"), key("host_versions", "h1"))
            for process in processes:
                process.start()
            for process in processes:
                eventually(partial(signs[id(process)], redis), 60, "a process at work")

    def go(self, job: Job) -> None:
        """Has a job that waits end."""
        (container,) = self.fleet.containers(job)
        assert container["State"] == "running"
        told = self.fleet.docker.api.exec_create(container["Id"], ["touch", "/run/aitrain/ask/go"])
        self.fleet.docker.api.exec_start(told["Id"])


@pytest.fixture(scope="module")
def site(
    make_fleet: Callable[..., Fleet], engine: DockerEngine, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Site]:
    with ExitStack() as stack:
        server = stack.enter_context(RedisServer(tmp_path_factory.mktemp("own")))
        fleet = make_fleet(redis_url=server.url)
        worker, agent = (fleet.site.host("h1", {"cpu": 3}, engine.url, role=role) for role in ("worker", "agent"))
        control = fleet.site.control()
        for process in (control, worker, agent):
            stack.enter_context(process)
        yield Site(fleet, server, control, worker, agent)


@pytest.fixture
def fleet(site: Site) -> Fleet:
    """For the logs of a failed test."""
    return site.fleet


def test_a_job_runs_on_while_every_process_is_replaced(site: Site, bucket: str) -> None:
    """One after the other, then both of the host at once by kill -9. The worker alone: see the next test."""
    fleet = site.fleet
    fleet.s3.create_bucket(Bucket=bucket)
    fleet.s3.put_object(Bucket=bucket, Key="in/x", Body=b"data\n")
    volumes = [f"{bucket}@s3/in:/in", f"{bucket}@s3/out:/out:rw"]
    job = fleet.submit("sh", "-c", f"{WAITS}; cat /in/x >> /out/r; echo wrote", volumes=volumes)
    fleet.until(job, "RUNNING", seconds=60)
    site.replace(site.control)
    site.replace(site.agent)
    site.replace(site.worker, site.agent, kindly=False)
    site.go(job)
    ended = fleet.end(job)
    assert (ended.state, ended.exit_code, ended.attempt) == (JobState.DONE, 0, 1)
    assert [entry.state for entry in ended.history] == [
        "QUEUED", "INITIALIZING", "PENDING", "RUNNING", "FINALIZING", "DONE",
    ]  # fmt: skip
    assert fleet.starts(job) == 1
    assert len(fleet.minutes(job)) == len(set(fleet.minutes(job)))
    assert fleet.objects(bucket)["out/r"] == b"data\n"
    assert fleet.log(job) == ["wrote"]
    fleet.came_to_rest(job, "h1")


def test_a_store_that_was_restored_from_a_backup(site: Site, bucket: str) -> None:
    """The backup was made while jobs ran. One of them has ended when it is restored, and another one has begun."""
    fleet = site.fleet
    fleet.s3.create_bucket(Bucket=bucket)
    on, stopped = (fleet.submit("sh", "-c", WAITS) for _ in range(2))
    over = fleet.submit("sh", "-c", f"{WAITS}; echo x >> /out/r; exit 3", volumes=[f"{bucket}@s3:/out:rw"])
    for job in (on, stopped, over):
        fleet.until(job, "RUNNING", seconds=60)
    # Given a backup, as docs/how-to/back-up.md makes it
    directory = site.server.directory
    with Redis.from_url(site.server.url) as redis:
        redis.save()
    shutil.copy(directory / "dump.rdb", directory / "backup.rdb")
    # When two of them end, another one begins, and the backup is restored, the agent running on
    fleet.client.stop(stopped.id)
    site.go(over)
    ends = [fleet.end(job) for job in (stopped, over)]
    later = fleet.until(fleet.submit("sleep", "60"), "RUNNING")
    site.worker.stop()
    site.server.restore(directory / "backup.rdb")
    site.worker.start()
    assert not fleet.client._store.existing([later.id])
    # Then those that have ended end as they did, and are not begun again
    for job, before in zip((stopped, over), ends, strict=True):
        after = fleet.end(job)
        assert after.attempt == fleet.starts(job) == 1
        same = ("state", "end_cause", "exit_code", "message", "started_ms", "finished_ms", "ran_ms", "billed_minutes")
        assert [getattr(after, name) for name in same] == [getattr(before, name) for name in same]
        assert fleet.minutes(job) == list(range(after.billed_minutes))
    assert fleet.objects(bucket) == {"r": b"x\n"}
    # And what runs goes on
    site.go(on)
    assert fleet.end(on).state == JobState.DONE
    assert (fleet.starts(on), fleet.minutes(on)) == (1, [0])
    # What the store has never heard of is left running for a while, for the case that the store comes back
    assert [one["State"] for one in fleet.containers(later)] == ["running"]
