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

from aitrain import Job, JobState
from tests.acceptance.conftest import QUICK, Fleet, eventually
from workers.runtime import Labels
from workers.scratch.disk import SmallDisk
from workers.scratch.images import ensure_busybox
from workers.scratch.link import Link
from workers.scratch.servers import DockerEngine, RedisServer, S3Server
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


@contextmanager
def site_to_break(make_fleet: Callable[..., Fleet], directory: Path) -> Iterator[Ruin]:
    """Two hosts at work, with all that they stand on."""
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
