"""Volumes of real jobs: what they may delete, what they share, what they try."""

from __future__ import annotations

import json
import os
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from aitrain import JobState
from aitrain.domain.states import InfoCode
from tests.acceptance.conftest import Fleet, eventually
from workers.scratch.servers import DockerEngine, S3Server, frozen
from workers.scratch.site import CLI

MIB = 1024**2


@pytest.fixture(scope="module")
def fleet(make_fleet: Callable[..., Fleet], engine: DockerEngine) -> Iterator[Fleet]:
    fleet = make_fleet()
    with ExitStack() as stack:
        for process in (fleet.site.control(), fleet.site.beat(), fleet.site.host("h1", {"cpu": 4}, engine.url)):
            stack.enter_context(process)
        yield fleet


def fill(fleet: Fleet, bucket: str, objects: dict[str, bytes]) -> None:
    fleet.s3.create_bucket(Bucket=bucket)
    for key, body in objects.items():
        fleet.s3.put_object(Bucket=bucket, Key=key, Body=body)


def test_an_rwd_job_deletes_what_it_removed_and_no_more(fleet: Fleet, bucket: str) -> None:
    fill(fleet, bucket, {"run/old": b"1", "run/kept": b"2", "run/deep/old": b"3", "beside": b"4"})
    job = fleet.submit(
        "sh", "-c", "rm -r /run1/old /run1/deep; echo new > /run1/new", volumes=[f"{bucket}@s3/run:/run1:rwd"]
    )
    ended = fleet.end(job)
    assert ended.state == JobState.DONE, ended.message
    assert fleet.objects(bucket) == {"run/kept": b"2", "run/new": b"new\n", "beside": b"4"}
    progress = ended.progress["/run1"]
    assert (progress.direction, progress.completed, progress.skipped, progress.deleted) == ("push", 1, 1, 2)


def test_an_rw_job_deletes_nothing(fleet: Fleet, bucket: str) -> None:
    fill(fleet, bucket, {"old": b"1"})
    assert fleet.end(fleet.submit("rm", "/data/old", volumes=[f"{bucket}@s3:/data:rw"])).state == JobState.DONE
    assert fleet.objects(bucket) == {"old": b"1"}


def test_jobs_of_a_project_share_the_cache(fleet: Fleet, bucket: str) -> None:
    fill(fleet, bucket, {"a": b"x" * 1000, "b/c": b"y" * MIB * 9})
    volume = f"{bucket}@s3:/data:ro:cache"
    cached = []
    for project in ("one", "one", "two"):
        ended = fleet.end(fleet.submit("sh", "-c", "cat /data/a /data/b/c | wc -c", project=project, volumes=[volume]))
        assert ended.state == JobState.DONE, ended.message
        assert fleet.log(ended) == [str(1000 + 9 * MIB)]
        cached.append((ended.progress["/data"].cached, ended.progress["/data"].cached_bytes))
    assert cached == [(0, 0), (2, 1000 + 9 * MIB), (0, 0)]
    listed = subprocess.run(
        [CLI, "data", "cache", "-o", "json"],
        env={**os.environ, **fleet.site.environment(host={"data_dir": str(fleet.site.directory / "h1")})},
        check=True,
        capture_output=True,
        text=True,
    )
    by_project = {one["project"]: one for one in json.loads(listed.stdout)}
    assert (by_project["one"]["hits"], by_project["one"]["misses"], by_project["two"]["hits"]) == (2, 2, 0)


def test_a_job_cannot_change_what_is_cached(fleet: Fleet, bucket: str) -> None:
    fill(fleet, bucket, {"a": b"good"})
    volume = f"{bucket}@s3:/data:ro:cache"
    evil = "echo evil > /data/a || chmod 777 /data/a || rm /data/a || ln /data/a /tmp/a || echo refused"
    assert "refused" in fleet.log(fleet.end(fleet.submit("sh", "-c", evil, volumes=[volume])))
    assert fleet.log(fleet.end(fleet.submit("cat", "/data/a", volumes=[volume]))) == ["good"]


def test_what_a_hostile_job_leaves_behind_stays_where_it_is(fleet: Fleet, bucket: str) -> None:
    job = fleet.submit(
        "sh", "-c",
        "cd /out; ln -s /etc/shadow link; ln -s / root; ln -s ../../.. up; mkfifo pipe; echo good > good; "
        "ln good hard; mkdir d; echo x > d/x; rm -r d; ln -s /etc d; echo odd > 'a b*?'; : > empty",
        volumes=[f"{bucket}@s3:/out:rw"],
    )  # fmt: skip
    ended = fleet.end(job)
    assert ended.state == JobState.DONE, ended.message
    assert fleet.objects(bucket) == {"good": b"good\n", "hard": b"good\n", "a b*?": b"odd\n", "empty": b""}
    assert (ended.progress["/out"].completed, ended.progress["/out"].skipped) == (4, 5)


def test_a_stop_ends_a_long_copy_within_two_seconds(fleet: Fleet, bucket: str, s3: S3Server) -> None:
    fill(fleet, bucket, {f"{n}": b"x" * 200_000 for n in range(300)})
    job = fleet.submit("true", volumes=[f"{bucket}@s3:/data"])
    fleet.until(job, "INITIALIZING")
    with frozen(s3.pid):
        time.sleep(0.5)
        began = time.monotonic()
        fleet.client.stop(job.id)
        eventually(lambda: fleet.client.get(job.id).ended, 10, "the end")
        assert time.monotonic() - began < 8, "2 s on a machine that does nothing else"
    ended = fleet.client.get(job.id)
    assert (ended.state, ended.code) == (JobState.INTERRUPTED, InfoCode.JOB_INTERRUPTED)
