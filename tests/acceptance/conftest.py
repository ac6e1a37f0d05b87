"""Whole sites: the real command line and processes over the real servers."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import docker
import pytest

from aitrain import Client, Job, JobState, submit_job
from workers.runtime import Labels
from workers.scratch.images import BUSYBOX_IMAGE
from workers.scratch.servers import DockerEngine, RedisServer, S3Server
from workers.scratch.site import LocalSite

# Everything that waits by default for seconds waits for less here.
QUICK = {
    "heartbeat_seconds": 0.2,
    "host_lease_seconds": 10,
    "step_lease_seconds": 2,
    "step_renew_seconds": 0.3,
    "message_grace_seconds": 2,
    "reconcile_seconds": 1,
    "log_poll_seconds": 0.2,
    "stop_grace_seconds": 2,
    "restart_period_seconds": 0,
    "sweep_seconds": 1,
    "billing_seconds": 1,
}


def eventually(condition: Callable[[], Any], seconds: float = 30, what: str = "it") -> Any:
    """Waits until a condition holds, and returns what it gave."""
    end = time.monotonic() + seconds
    while not (answer := condition()):
        assert time.monotonic() < end, f"{what} did not come to be within {seconds} s"
        time.sleep(0.02)
    return answer


@dataclass
class Fleet:
    """A site under test, seen as a producer and from the outside."""

    site: LocalSite
    client: Client
    docker: docker.DockerClient
    s3: Any
    began: float

    def submit(self, *command: str, **fields: Any) -> Job:
        """Submits a busybox job: one CPU unless it asks for something."""
        if not fields.keys() & {"cpu", "gpu"}:
            fields["cpu"] = 1
        image = fields.pop("image", BUSYBOX_IMAGE)
        return submit_job(image, command, client=self.client, **fields)

    def until(self, job: Job, *states: str, seconds: float = 30) -> Job:
        """Waits until a job is in one of the states."""
        return eventually(
            lambda: now if (now := self.client.get(job.id)).state in states else None, seconds,
            f"{states}, it is {self.client.get(job.id).state}: {self.client.get(job.id).message};",
        )  # fmt: skip

    def end(self, job: Job, seconds: float = 60) -> Job:
        """Waits until a job has ended."""
        return self.client.wait(job.id, timeout=seconds)

    def starts(self, job: Job) -> int:
        """How often the engine started a container for a job."""
        events = self.docker.events(
            since=int(self.began) - 1, until=int(time.time()) + 1, decode=True,
            filters={"type": "container", "event": "start", "label": f"{Labels.JOB}={job.id}"},
        )  # fmt: skip
        return sum(1 for _ in events)

    def containers(self, job: Job) -> list[Any]:
        """What the engine still has of a job."""
        return self.docker.api.containers(all=True, filters={"label": f"{Labels.JOB}={job.id}"})

    def objects(self, bucket: str) -> dict[str, bytes]:
        """What a bucket holds."""
        listed = self.s3.list_objects_v2(Bucket=bucket).get("Contents", [])
        return {item["Key"]: self.s3.get_object(Bucket=bucket, Key=item["Key"])["Body"].read() for item in listed}

    def minutes(self, job: Job) -> list[int]:
        """The billed minutes of a job."""
        lines = [line for line in self.client.ledger(job.project) if line.job_id == job.id]
        return [minute for line in lines for minute in range(line.first, line.first + line.minutes)]

    def log(self, job: Job) -> list[str]:
        """What a job wrote."""
        return [line.text for line in self.client.logs(job.id)]

    def came_to_rest(self, job: Job, host: str) -> None:
        """After its end a job holds nothing: no container, no unit, no files."""
        eventually(lambda: not self.containers(job), 15, "no container left")
        jobs = self.site.directory / host / "jobs"
        eventually(lambda: not (jobs / job.id).exists(), 15, "no files left")
        store = self.client._store
        assert not [held for held in store.host_jobs(host) if held.job_id == job.id]
        assert job.id not in store._redis.hvals(store._key("host_units", host, job.flavor)), "its units are free"


@pytest.fixture(scope="module")
def make_fleet(
    redis: RedisServer, engine: DockerEngine, s3: S3Server, tmp_path_factory: pytest.TempPathFactory
) -> Callable[..., Fleet]:
    """Makes sites of their own over the shared servers."""

    def make(**settings: Any) -> Fleet:
        values: dict[str, Any] = {"namespace": f"t{uuid.uuid4().hex[:12]}", "timing": QUICK, **settings}
        redis_url = values.pop("redis_url", redis.url)
        store = values.pop("s3", s3)
        docker_url = values.pop("docker_url", engine.url)
        site = LocalSite(tmp_path_factory.mktemp("site"), redis_url=redis_url, s3=store, **values)
        return Fleet(site, site.client(), docker.DockerClient(base_url=docker_url), store.client(), time.time())

    return make


@pytest.fixture(autouse=True)
def logs_of_a_failed_test(request: pytest.FixtureRequest) -> Iterator[None]:
    """Shows what the processes of the site wrote if the test fails."""
    yield
    report = getattr(request.node, "report_call", None)
    if report is not None and report.failed:
        for name in ("fleet", "crash_fleet"):
            fleet = request.node.funcargs.get(name)
            if fleet is not None:
                for log in sorted(Path(fleet.site.directory).glob("*.log")):
                    print(f"── {log.name}\n" + "\n".join(log.read_text().splitlines()[-40:]))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Any:
    """Lets fixtures know how the test went."""
    report = yield
    setattr(item, f"report_{report.when}", report)
    return report


__all__ = ["Fleet", "JobState", "eventually"]
