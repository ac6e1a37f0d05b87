"""Data stores of projects, through the real command line, control worker, host and S3 servers."""

from __future__ import annotations

import base64
import json
import os
import re
import subprocess
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from redis import Redis

from aitrain import Client, DataStoreNotFound, InvalidInput, Unavailable
from aitrain.vault import PrivateKey, new_key
from tests.acceptance.conftest import QUICK, Fleet, eventually
from workers.scratch.images import BUSYBOX_IMAGE
from workers.scratch.servers import DockerEngine, RedisServer, S3Server
from workers.scratch.site import CLI, LocalSite

TIMING = {**QUICK, "retry_pause_seconds": 0.2, "check_seconds": 20}


class OtherS3(S3Server):
    """Another data store, with keys of its own."""

    access_key_id, secret_access_key = "other-access-key", "hunter2-other-secret-key"


@pytest.fixture(scope="module")
def other(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OtherS3]:
    with OtherS3(tmp_path_factory.mktemp("other")) as server:
        yield server


@pytest.fixture(scope="module")
def third(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OtherS3]:
    with OtherS3(tmp_path_factory.mktemp("third")) as server:
        yield server


@pytest.fixture(scope="module")
def fleet(make_fleet: Callable[..., Fleet], engine: DockerEngine) -> Iterator[Fleet]:
    fleet = make_fleet(timing=TIMING)
    with fleet.site.control(), fleet.site.host("h1", {"cpu": 2}, engine.url):
        eventually(fleet.client._store.site_keys, what="a control worker with a key")
        yield fleet


@pytest.fixture
def project() -> str:
    return f"p{uuid.uuid4().hex[:8]}"


def aitrain(site: LocalSite, *arguments: str, secret: str | None = None, typed: str = "", status: int = 0) -> str:
    """Runs a command. secret: by the environment; typed: on standard input."""
    env = {**os.environ, **site.environment(), **({"AITRAIN_SECRET_ACCESS_KEY": secret} if secret else {})}
    done = subprocess.run(
        [CLI, *arguments], env=env, input=typed, capture_output=True, text=True, timeout=90, check=False
    )
    said = done.stdout + done.stderr
    assert done.returncode == status, f"{arguments}: {done.returncode}\n{said}"
    assert "Traceback" not in said
    for hidden in (secret, typed.strip()):
        assert not hidden or hidden not in said
    return said


def added(client: Client, project: str, server: S3Server, alias: str = "s3", **more: Any) -> None:
    keys = (server.access_key_id, server.secret_access_key)
    client.data_stores.add(project, alias, server.url, server.region, *keys, **more)


def test_a_job_reads_and_writes_with_its_projects_own(
    fleet: Fleet, other: OtherS3, project: str, bucket: str, redis: RedisServer
) -> None:
    store = other.client()
    store.create_bucket(Bucket=bucket)
    store.put_object(Bucket=bucket, Key="in/x", Body=b"hello")
    arguments = (project, "own", "--endpoint-url", other.url, "--access-key-id", other.access_key_id)
    aitrain(fleet.site, "datastore", "add", *arguments, secret=other.secret_access_key)
    volumes = ["--volume", f"{bucket}@own/in:/in", "--volume", f"{bucket}@own/out:/out:rw"]
    run = ("job", "run", BUSYBOX_IMAGE, "--cpu", "1", "--project", project, *volumes, "--watch")
    said = aitrain(fleet.site, *run, "--", "sh", "-c", "cat /in/x > /out/y; echo done")
    job_id = said.split()[0]
    assert store.get_object(Bucket=bucket, Key="out/y")["Body"].read() == b"hello"

    listed = aitrain(fleet.site, "datastore", "list", project)
    shown = aitrain(fleet.site, "datastore", "show", project, "own", "-o", "json")
    assert json.loads(shown)["endpoint_url"] == other.url
    assert json.loads(shown)["access_key_id"] == "***-key"
    assert json.loads(shown)["checked"] is True
    assert "own" in listed
    told = [
        listed,
        shown,
        said,
        aitrain(fleet.site, "job", "get", job_id, "-o", "json"),
        aitrain(fleet.site, "job", "logs", job_id),
    ]
    told += [file.read_text() for file in Path(fleet.site.directory).glob("*.log")]
    assert "aitrain.check_data_store[" in "".join(told), "the control worker's log was looked at"
    told += everything_in(redis)
    for text in told:
        assert other.secret_access_key not in text
        assert other.access_key_id not in text


def everything_in(redis: RedisServer) -> list[str]:
    """All keys and values of a Redis, as text, and what its messages say."""
    client, found = Redis.from_url(redis.url), []
    for key in client.scan_iter(count=1000):
        read = {
            b"string": client.get, b"hash": client.hgetall, b"set": client.smembers,
            b"list": lambda key: client.lrange(key, 0, -1), b"zset": lambda key: client.zrange(key, 0, -1),
            b"stream": client.xrange,
            b"none": lambda key: "it lapsed meanwhile",
        }[client.type(key)]  # fmt: skip
        found += [key.decode(), repr(read(key))]
        if client.type(key) == b"list":
            found += [body for message in client.lrange(key, 0, -1) if (body := body_of(message))]
    client.close()
    return found


def body_of(message: bytes) -> str:
    """What a Celery message says, which travels in base64; "" for what is none."""
    try:
        return base64.b64decode(json.loads(message)["body"]).decode()
    except (ValueError, KeyError, TypeError):
        return ""


def test_two_projects_with_the_same_alias(fleet: Fleet, other: OtherS3, third: OtherS3, bucket: str) -> None:
    """Each reads its own server; one that the site has by the same name is neither's."""
    red, blue = (f"p{uuid.uuid4().hex[:8]}" for _ in range(2))
    for name, server in ((red, other), (blue, third)):
        store = server.client()
        store.create_bucket(Bucket=bucket)
        store.put_object(Bucket=bucket, Key="x", Body=name.encode())
        added(fleet.client, name, server, container=bucket)
    jobs = {name: fleet.submit("cat", "/in/x", project=name, volumes=[f"{bucket}@s3:/in"]) for name in (red, blue)}
    for name, job in jobs.items():
        assert fleet.end(job).state == "DONE"
        assert fleet.log(job) == [name]
    added(fleet.client, red, other, alias="own")
    with pytest.raises(InvalidInput, match="'own' is not a data store of this site or project"):
        fleet.submit("true", project=blue, volumes=[f"{bucket}@own:/in"])


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"secret_access_key": "hunter2-wrong"}, "access_key_id"),
        ({"access_key_id": "nobody"}, "access_key_id"),
        ({"endpoint_url": "http://127.0.0.1:1"}, "endpoint_url"),
        ({"endpoint_url": "nonsense"}, "endpoint_url"),
        ({"endpoint_url": "redis"}, "endpoint_url"),
        ({"container": "no-such-container"}, "container"),
        ({"region": "no region"}, "region"),
        ({"alias": "a@b"}, "alias"),
        ({"project": "No Project"}, "project"),
    ],
)
def test_what_cannot_be_used_is_not_added(
    fleet: Fleet, other: OtherS3, redis: RedisServer, project: str, wrong: dict[str, str], field: str
) -> None:
    if wrong.get("endpoint_url") == "redis":  # something that answers, and not as an S3 service does
        wrong = {"endpoint_url": redis.url.replace("redis://", "http://").removesuffix("/0")}
    fields = {
        "project": project, "alias": "s3", "endpoint_url": other.url, "region": other.region,
        "access_key_id": other.access_key_id, "secret_access_key": other.secret_access_key, **wrong,
    }  # fmt: skip
    with pytest.raises(InvalidInput) as caught:
        fleet.client.data_stores.add(**fields)  # type: ignore[arg-type]
    assert [problem.field for problem in caught.value.problems] == [field]
    assert fields["secret_access_key"] not in str(caught.value)
    assert fleet.client.data_stores.list(project) == []
    assert not fleet.client._store._redis.keys(fleet.client._store._key("check", "*"))


def test_a_wrong_key_at_the_command_line(fleet: Fleet, other: OtherS3, project: str) -> None:
    arguments = (project, "s3", "--endpoint-url", other.url, "--access-key-id", other.access_key_id)
    said = aitrain(fleet.site, "datastore", "add", *arguments, typed="hunter2-wrong\n", status=2)
    assert "SignatureDoesNotMatch" in said
    aitrain(fleet.site, "datastore", "show", project, "s3", status=1)
    aitrain(fleet.site, "datastore", "add", *arguments, typed=f"{other.secret_access_key}\n")


def test_a_changed_key_is_used_at_the_next_step(
    fleet: Fleet, other: OtherS3, third: OtherS3, project: str, bucket: str
) -> None:
    """The data of a job goes where the alias leads when it is pushed; no process was started again."""
    added(fleet.client, project, other)
    job = fleet.submit("sh", "-c", "sleep 3; echo hi > /out/r", project=project, volumes=[f"{bucket}@s3:/out:rw"])
    fleet.until(job, "RUNNING")
    first = fleet.client.data_stores.show(project, "s3")
    third.client().create_bucket(Bucket=bucket)
    added(fleet.client, project, third)
    assert fleet.client.data_stores.show(project, "s3").revision != first.revision
    assert fleet.end(job).state == "DONE"
    assert third.client().get_object(Bucket=bucket, Key="r")["Body"].read() == b"hi\n"


def test_removal(fleet: Fleet, other: OtherS3, project: str, bucket: str) -> None:
    other.client().create_bucket(Bucket=bucket)
    added(fleet.client, project, other, alias="own")
    job = fleet.submit("sleep", "60", project=project, volumes=[f"{bucket}@own:/in"])
    answer = fleet.client.data_stores.remove(project, "own")
    assert (answer.done, answer.jobs) == (False, [job.id])
    assert job.id in aitrain(fleet.site, "datastore", "remove", project, "own", status=1)
    fleet.until(job, "RUNNING")
    aitrain(fleet.site, "datastore", "remove", "--force", project, "own")
    with pytest.raises(DataStoreNotFound, match="datastore list"):
        fleet.client.data_stores.remove(project, "own")
    fleet.client.stop(job.id)
    fleet.end(job)
    assert fleet.client.start(job.id).done
    ended = fleet.end(job)
    assert (ended.state, ended.code) == ("FAILED", "DATASYNC_DATA_STORE_NOT_FOUND")


def test_no_control_worker(make_fleet: Callable[..., Fleet], other: OtherS3, project: str, redis: RedisServer) -> None:
    fleet = make_fleet(timing={**TIMING, "check_seconds": 1})
    with pytest.raises(InvalidInput, match="aitrain secret new-key FILE"):
        added(fleet.client, project, other)
    key = PrivateKey.of(new_key()).sealer
    fleet = make_fleet(timing={**TIMING, "check_seconds": 1}, secrets={"public_key": key.public_key})
    began = time.monotonic()
    with pytest.raises(Unavailable, match="no control worker answered within 1 s"):
        added(fleet.client, project, other)
    assert time.monotonic() - began < 10
    assert fleet.client.data_stores.list(project) == []
    message = fleet.client._store._redis.lindex(f"{fleet.site.settings.namespace}:control", 0)
    assert re.match(r'\[\["[0-9a-f]{16}"\], \{\}', body_of(message)), "a message carries a token and nothing else"
    for text in everything_in(redis):
        assert other.secret_access_key not in text
        assert other.access_key_id not in text
    added(fleet.client, project, other, check=False)
    assert [entry.checked for entry in fleet.client.data_stores.list(project)] == [False]


def test_a_control_worker_without_the_key(make_fleet: Callable[..., Fleet], other: OtherS3, project: str) -> None:
    foreign = PrivateKey.of(new_key()).sealer
    fleet = make_fleet(timing=TIMING, secret_keys=[], secrets={"public_key": foreign.public_key})
    with fleet.site.control(), pytest.raises(Unavailable, match="this process has no key"):
        added(fleet.client, project, other)
