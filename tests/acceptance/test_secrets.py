"""Secrets of jobs and projects, through the real processes: used by the job, and found nowhere else that bytes rest."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from hashlib import md5

import pytest

from aitrain import Job
from aitrain.cli.showing import record
from aitrain.vault import PrivateKey, new_key
from tests.acceptance.conftest import QUICK, Fleet, eventually
from tests.acceptance.test_data_stores import OtherS3, added, aitrain, everything_in
from workers.scratch.images import BUSYBOX_IMAGE
from workers.scratch.servers import DockerEngine, RedisServer

OLD, NEW = new_key(), new_key()
TOKEN = "hunter2-token-of-a-variable"
TIMING = {**QUICK, "retry_pause_seconds": 0.2, "retry_pause_max_seconds": 0.2, "secret_seconds": 2}


@pytest.fixture(scope="module")
def own_redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    """With an append-only file, and messages of nobody else."""
    with RedisServer(tmp_path_factory.mktemp("redis"), durable=True) as server:
        yield server


@pytest.fixture(scope="module")
def other(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OtherS3]:
    with OtherS3(tmp_path_factory.mktemp("other")) as server:
        yield server


@pytest.fixture(scope="module")
def fleet(make_fleet: Callable[..., Fleet], engine: DockerEngine, own_redis: RedisServer) -> Iterator[Fleet]:
    """A site with a host and beat; each test starts its control workers."""
    fleet = make_fleet(timing=TIMING, redis_url=own_redis.url, secret_keys=[OLD], limits={"platform_retries": 100})
    with fleet.site.host("h1", {"cpu": 2}, engine.url), fleet.site.beat():
        yield fleet


@pytest.fixture(scope="module")
def bucket(other: OtherS3) -> str:
    """A bucket with one object, in a data store that only a project has."""
    other.client().create_bucket(Bucket="kept")
    other.client().put_object(Bucket="kept", Key="in/x", Body=b"hello")
    return "kept"


@contextmanager
def control(fleet: Fleet, *keys: str) -> Iterator[None]:
    """A control worker with these keys, that has told the first one."""
    fleet.site.secret_keys = list(keys)
    newest = PrivateKey.of(keys[0]).sealer.public_key
    with fleet.site.control():
        eventually(lambda: (told := fleet.client._store.site_keys()) and told.public_key == newest, what="the key")
        yield


def places(fleet: Fleet, job: Job, redis: RedisServer) -> dict[str, bytes]:
    """All places in which bytes rest, and what they hold."""
    found = {f"value {n}": text.encode() for n, text in enumerate(everything_in(redis))}
    for root in (fleet.site.directory, redis.directory):
        for path in root.rglob("*"):
            if path.is_file() and "/jobs/" not in str(path):  # what a job itself writes is its own
                found[str(path)] = path.read_bytes()
    for container in fleet.containers(job):
        inspected = fleet.docker.api.inspect_container(container["Id"])
        found["labels"] = json.dumps(inspected["Config"]["Labels"]).encode()
        inspected["Config"]["Env"] = []  # there they are, for root of the host
        found["inspected"] = json.dumps(inspected).encode()
    return found


def _object(server: OtherS3, bucket: str, key: str) -> str:
    return str(server.client().get_object(Bucket=bucket, Key=key)["Body"].read().decode())


def test_a_job_has_its_secrets_and_no_other_place_has(
    fleet: Fleet, bucket: str, other: OtherS3, own_redis: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("API_TOKEN", TOKEN)
    command = 'test "$PLAIN" = seen; test -f /in/x; echo -n "$API_TOKEN" | md5sum > /out/sum; sleep 60'
    with control(fleet, OLD):
        added(fleet.client, "red", other, alias="own")
        said = aitrain(
            fleet.site, "job", "run", BUSYBOX_IMAGE, "--cpu", "1", "--project", "red", "--env", "PLAIN=seen",
            "--secret-env", "API_TOKEN", "--volume", f"{bucket}@own/in:/in", "--volume", f"{bucket}@own/out:/out:rw",
            "--", "sh", "-ec", command,
        )  # fmt: skip
        job = fleet.until(fleet.client.get(said.split()[0]), "RUNNING")
        running = places(fleet, job, own_redis)
    # Control workers are away: what was delivered is what its results are pushed with.
    fleet.client.stop(job.id)
    assert fleet.end(job).state == "INTERRUPTED"
    assert _object(other, bucket, "out/sum").split()[0] == md5(TOKEN.encode(), usedforsecurity=False).hexdigest()
    ended = places(fleet, job, own_redis)

    shown = aitrain(fleet.site, "job", "get", job.id)
    assert "API_TOKEN=(secret)" in shown
    told = [shown, json.dumps(record(job)), job.model_dump_json(), repr(job), str(job.model_dump())]
    assert json.loads(told[1])["spec"]["secret_env"] == {"API_TOKEN": "(secret)"}
    assert {"labels", "inspected"} <= running.keys()
    for ending in (".aof", "control.log", "host-h1.log", "beat.log", "h1/host.key"):
        assert any(path.endswith(ending) for path in running), f"{ending} was looked at"
    for place, text in [*running.items(), *ended.items(), *((word, word.encode()) for word in told)]:
        for hidden in (TOKEN, other.secret_access_key, other.access_key_id):
            assert hidden.encode() not in text, place
        assert OLD.encode() not in text or place == str(fleet.site.key_file)
    assert (fleet.site.directory / "h1" / "host.key").stat().st_mode & 0o777 == 0o600
    store = fleet.client._store
    assert store._redis.exists(store._key("sealed_env", job.id)), "it may be started again"
    assert not store._redis.exists(store._key("delivered", "h1")), "nothing stays with the host when the job has left"


def test_the_site_rotates_its_key(fleet: Fleet, bucket: str, other: OtherS3) -> None:
    """The new key is put first, everything is sealed anew, and the old one is taken out."""
    store = fleet.client._store
    old, new = (PrivateKey.of(key).sealer.key_id for key in (OLD, NEW))
    # No control worker is there: they are sealed with the key that was told last.
    added(fleet.client, "green", other, alias="own", check=False)
    job = fleet.submit(
        "sh", "-c", "echo $T", project="green", secret_env={"T": "hunter2"}, volumes=[f"{bucket}@own/in:/in"]
    )
    assert job.spec.secret_env == {"T": None}
    assert {"data_store/green/own", f"env/{job.id}"} <= set(store.sealed_by(old))
    eventually(lambda: fleet.client.get(job.id).platform_tries, 30, "a fault of the platform")
    assert "no control worker delivered its keys of data store own within 2 s" in str(fleet.client.get(job.id))
    with control(fleet, NEW, OLD):
        eventually(lambda: set(store.sealed_counts()) == {new}, 20, "all sealed by the new key")
        told = {key.key_id: key for key in fleet.client.secrets_status().keys}
        assert (told[old].secrets, told[old].opens, told[new].newest) == (0, True, True)
    with control(fleet, NEW):
        assert fleet.end(job).state == "DONE"
        assert fleet.client.start(job.id).done
        assert fleet.end(job).state == "DONE"
        assert fleet.log(job) == ["hunter2"]
        fleet.client.delete(job.id)
        eventually(lambda: not store._redis.exists(store._key("sealed_env", job.id)), 20, "its variables went")
        assert set(store.sealed_counts()) == {new}
