"""A site with users and TLS: its own processes meet no shut door, and whoever stole a host's settings many."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import docker
import pytest
import requests
from redis import Redis
from redis.backoff import NoBackoff
from redis.exceptions import AuthenticationError, NoPermissionError
from redis.retry import Retry

from aitrain import Client, JobEdit, JobState, StoreUnavailable, submit_job
from aitrain.broker import Broker
from aitrain.domain.errors import BrokerUnavailable
from aitrain.store.metering import Meter
from tests.acceptance.conftest import QUICK, eventually
from tests.registries import push, seen_by_all
from tests.shut_site import ShutSite, TlsRedis, TlsS3
from workers.doctor import diagnose
from workers.doctor.finding import Verdict
from workers.runtime import ImageAccess, Right
from workers.scratch.images import BUSYBOX_IMAGE
from workers.scratch.servers import DockerEngine, free_port

HOSTS = ["h1", "h2"]


class Shut:
    """A running site and its parts."""

    def __init__(self, site: ShutSite, client: Client, s3: TlsS3, flower: str) -> None:
        self.site, self.client, self.s3, self.flower = site, client, s3, flower

    def submit(self, script: str, **fields: Any) -> Any:
        """Submits a busybox job as a producer."""
        return submit_job(BUSYBOX_IMAGE, ["sh", "-c", script], cpu=1, client=self.client, **fields)

    def until(self, job: Any, state: str) -> Any:
        """Waits for a state."""
        return eventually(lambda: self.client.get(job.id).state == state, 30, f"{job.id} {state}")


@pytest.fixture(scope="module")
def shut(engine: DockerEngine, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shut]:
    """A site of one host, with every process that a site has."""
    directory, port, web = tmp_path_factory.mktemp("shut"), free_port(), free_port()
    site = ShutSite(directory, port, HOSTS, timing=QUICK)
    with pytest.MonkeyPatch.context() as patch, ExitStack() as stack:
        patch.setenv("FLOWER_UNAUTHENTICATED_API", "true")
        stack.enter_context(TlsRedis(directory / "redis", site.files, port))
        s3 = stack.enter_context(TlsS3(directory / "s3", site.files))
        s3.client().create_bucket(Bucket="logs")
        store = {
            "endpoint_url": s3.url, "region": s3.region, "access_key_id": s3.access_key_id,
            "secret_access_key": s3.secret_access_key,
        }  # fmt: skip
        site.share(data_store_ca_file=str(site.ca_file), data_stores={"s3": store}, logs={"container": "logs@s3"})
        for process in (
            site.run("control", "control"),
            site.run("beat", "control", "--schedule", str(directory / "beat-schedule")),
            site.run("flower", "flower", "--port", str(web)),
            site.host("h1", engine.url),
        ):
            stack.enter_context(process)
        with site.client() as client:
            shut = Shut(site, client, s3, f"http://127.0.0.1:{web}")
            eventually(lambda: "h1" in [one.name for one in client.hosts()], 90, "the host")
            yield shut


def test_a_job_ends_well(shut: Shut) -> None:
    """Data over TLS in both directions, and its log from the object store, through a control worker."""
    shut.s3.client().create_bucket(Bucket="data")
    shut.s3.client().put_object(Bucket="data", Key="in.txt", Body=b"in")

    job = shut.submit("cat /data/in.txt; echo out > /data/out.txt", volumes=["data@s3:/data:rw"])

    assert shut.client.wait(job.id, timeout=40).state == JobState.DONE
    assert shut.s3.client().get_object(Bucket="data", Key="out.txt")["Body"].read() == b"out\n"
    assert [line.text for line in shut.client.logs(job.id)] == ["in"]
    assert eventually(lambda: shut.client.ledger("default"), 10, "its bill")
    assert shut.site.denied() == []


def test_orders_are_met(shut: Shut) -> None:
    """Exec and stats in a running job, a label, a stop; a timeout that the agent sees; a job that waits for another."""
    job = shut.submit("sleep 60 & wait", timeout=60)
    shut.until(job, JobState.RUNNING)
    wrote: list[bytes] = []
    assert shut.client.exec(job.id, ["echo", "there"], on_stdout=wrote.append) == 0
    assert b"".join(wrote) == b"there\n"
    assert shut.client.stats(job.id) is not None
    shut.client.edit(job.id, JobEdit(labels={"a": "b"}, timeout=120))
    short = shut.submit("sleep 60 & wait", timeout=1)
    waits = shut.submit("true")
    shut.client.explain(waits.id)
    shut.client.stop(job.id)

    assert shut.client.wait(job.id, timeout=30).state == JobState.INTERRUPTED
    assert shut.client.wait(short.id, timeout=30).state == JobState.INTERRUPTED
    assert shut.client.wait(waits.id, timeout=30).state == JobState.DONE
    shut.client.delete(short.id)
    assert shut.site.denied() == []


def test_operators_look_after_it(shut: Shut) -> None:
    """Quotas, budgets, queues and their readers; a host that is drained evicts its job, which runs again after."""
    with shut.site.client("operator") as operator:
        operator.set_quota("default", "cpu", 2)
        operator.set_budget("default", 1000)
        operator.set_timeout_limit("default", 600)
        queues = operator.queues()
        assert {worker.partition("@")[0] for queue in queues for worker in queue.workers} == {"control", "h1"}
        job = shut.submit("sleep 1", timeout=60)
        shut.until(job, JobState.RUNNING)
        operator.drain_host("h1", deadline=0)
        eventually(lambda: shut.client.get(job.id).attempt == 2 or shut.client.get(job.id).ended, 30, "its eviction")
        operator.uncordon_host("h1")
        assert shut.client.wait(job.id, timeout=30).state == JobState.DONE
        operator.set_quota("default", "cpu", None)
        operator.remove_budget("default")
    assert shut.site.denied() == []


def test_a_data_store_is_added_and_used(shut: Shut) -> None:
    """A control worker tries it, over TLS with a private authority; its keys are delivered; `aitrain bucket` reads."""
    shut.s3.client().create_bucket(Bucket="own")
    keys = (shut.s3.region, shut.s3.access_key_id, shut.s3.secret_access_key)

    shut.client.data_stores.add("default", "own", shut.s3.url, *keys)
    job = shut.submit("echo $T > /own/out.txt", volumes=["own@own:/own:rw"], secret_env={"T": "hunter2"})

    assert shut.client.wait(job.id, timeout=30).state == JobState.DONE
    assert [one.key for one in shut.client.buckets.objects("own@s3", "default")] == ["out.txt"]
    assert shut.s3.client().get_object(Bucket="own", Key="out.txt")["Body"].read() == b"hunter2\n"
    with shut.site.client("operator") as operator:
        assert operator.secrets_status().unreadable == 0
        assert operator.delete(job.id).done
    assert shut.site.denied() == []


def test_a_registry_is_added_and_used(shut: Shut, engine: DockerEngine, tmp_path: Path) -> None:
    """A control worker logs in; its password is delivered, and the image pulled with it."""
    user = ("reader", "hunter2-of-red")
    with seen_by_all(tmp_path, engine, user) as registry:
        image = f"{registry.address}/shut/tool:1"
        push(docker.DockerClient(base_url=engine.url), image, ImageAccess("", Right.PROJECT, *user))
        shut.client.registries.add("default", registry.address, *user)
        job = submit_job(image, ["true"], cpu=1, client=shut.client)
        assert shut.client.wait(job.id, timeout=30).state == JobState.DONE
        assert shut.client.registries.remove("default", registry.address).done
    assert shut.site.denied() == []


def test_flower_sees_the_workers(shut: Shut) -> None:
    """It asks them, hears their events, and measures the queues."""

    def workers() -> dict[str, Any]:
        return requests.get(f"{shut.flower}/api/workers?refresh=1", timeout=10).json()

    eventually(lambda: len([name for name, it in workers().items() if it.get("active_queues")]) == 2, 30, "workers")
    lengths = requests.get(f"{shut.flower}/api/queues/length", timeout=10).json()["active_queues"]
    assert {one["name"] for one in lengths} == {"control", "cpu.cpu.h1"}
    assert eventually(lambda: requests.get(f"{shut.flower}/api/tasks", timeout=10).json(), 20, "tasks")
    assert shut.site.denied() == []


def test_the_exporter_reads_what_it_tells(shut: Shut) -> None:
    """With a user that can write nothing."""
    settings = shut.site.settings("metrics")
    with closing(Meter(settings.redis_url, namespace="shut", ca_file=settings.redis_ca_file)) as meter:
        for _ in range(3):  # it weighs some keys each time
            readings = meter.read(["cpu"])
    assert "h1" in [host.name for host in readings.hosts]
    assert "control" in Broker(settings).lengths(["control", "unrouted", "cpu.cpu.h1"])
    assert shut.site.denied() == []
    with shut.site.redis("metrics") as redis, pytest.raises(NoPermissionError):
        redis.hset(ROOT + "counters", "a", 1)
    shut.site.denied()


def test_the_doctor_finds_the_site_well(shut: Shut, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the settings of an operator."""
    monkeypatch.setenv("AWS_CA_BUNDLE", "")  # which it sets for its process
    findings = diagnose(shut.site.settings("operator"), with_host=False)

    assert [one for one in findings if one.verdict is Verdict.FAIL] == []
    # Which it does without.
    assert shut.site.denied() == ["operator: command config|get (toplevel)"]


Attack = Callable[[Redis], Any]
ROOT = "{shut}:"
ATTACKS: dict[str, Attack] = {
    "a project's data stores": lambda redis: redis.hset(ROOT + "project:default:data_stores", "a", "b"),
    "the keys of a project": lambda redis: redis.hgetall(ROOT + "sealed:default"),
    "the secret variables of a job": lambda redis: redis.hgetall(ROOT + "sealed_env:x"),
    "what another host was delivered": lambda redis: redis.hgetall(ROOT + "delivered:h2"),
    "another host's key": lambda redis: redis.set(ROOT + "host_key:h2", "mine"),
    "the site's public key": lambda redis: redis.hset(ROOT + "public_key", "key", "mine"),
    "the store's version": lambda redis: redis.delete(ROOT + "schema"),
    "where a job was sent": lambda redis: redis.append(ROOT + "origin:x", "1.f h1\n"),
    "another host's questions": lambda redis: redis.lrange(ROOT + "asks:h2", 0, -1),
    "another host's state": lambda redis: redis.hset(ROOT + "host:h2", "instance", "mine"),
    "another host's units": lambda redis: redis.hgetall(ROOT + "host:h2:units:cpu"),
    "another host's queue": lambda redis: redis.brpop(["shut:cpu.cpu.h2"], timeout=1),
    "a message to another host": lambda redis: redis.lpush("shut:cpu.cpu.h2", "{}"),
    "the control workers' queue": lambda redis: redis.brpop(["shut:control"], timeout=1),
    "what another host has taken": lambda redis: redis.hgetall("shut:unacked.host.h2"),
    "quotas": lambda redis: redis.hset(ROOT + "quota:limit", "default/gpu", 99),
    "budgets": lambda redis: redis.delete(ROOT + "budgets"),
    "prices": lambda redis: redis.zadd(ROOT + "prices:cpu", {"0 0": 0}),
    "receipts": lambda redis: redis.hgetall(ROOT + "receipts:x"),
    "remote control": lambda redis: redis.publish("shut:/0.celery.pidbox", "{}"),
    "a key of its own": lambda redis: redis.set("mine", 1),
    "inside a script": lambda redis: redis.eval("return redis.call('HGETALL', ARGV[1])", 1, ROOT, ROOT + "host:h2"),
    "a command inside a script": lambda redis: redis.eval("return redis.call('KEYS', '*')", 1, ROOT),
    "CONFIG": lambda redis: redis.config_set("requirepass", "x"),
    "FLUSHALL": lambda redis: redis.flushall(),
    "KEYS": lambda redis: redis.keys(),
    "SCAN": lambda redis: redis.scan(),
    "ACL": lambda redis: redis.acl_setuser("me", enabled=True, nopass=True),
    "SHUTDOWN": lambda redis: redis.execute_command("SHUTDOWN", "NOSAVE"),
    "REPLICAOF": lambda redis: redis.execute_command("REPLICAOF", "127.0.0.1", "1"),
    "SCRIPT FLUSH": lambda redis: redis.script_flush(),
    "CLIENT KILL": lambda redis: redis.execute_command("CLIENT", "KILL", "TYPE", "normal"),
    "MONITOR": lambda redis: redis.execute_command("MONITOR"),
}  # fmt: skip


@pytest.mark.parametrize("attack", ATTACKS)
def test_a_stolen_host_may_not(shut: Shut, attack: str) -> None:
    """Each is refused by Redis itself."""
    with shut.site.redis("host-h1") as redis, pytest.raises(Exception, match=r"permissions|can't run|can't access"):
        ATTACKS[attack](redis)
    assert shut.site.denied()


@pytest.mark.parametrize("role", ["operator", "control", "producer"])
def test_nobody_may_put_a_key_of_his_own_in_a_hosts_place(shut: Shut, role: str) -> None:
    """Control workers would seal for him what that host's jobs need."""
    with shut.site.redis(role) as redis, pytest.raises(NoPermissionError):
        redis.set(ROOT + "host_key:h1", "mine")
    assert shut.site.denied()


def test_nobody_gets_in_without_a_user(shut: Shut) -> None:
    """No password, a wrong one, and no TLS."""
    port = Redis.from_url(shut.site.values("producer")["redis_url"]).connection_pool.connection_kwargs["port"]
    tls = {"host": "localhost", "port": port, "ssl": True, "ssl_ca_certs": str(shut.site.ca_file)}
    tls["retry"] = Retry(NoBackoff(), 0)

    with pytest.raises(AuthenticationError, match="already authenticated"):
        Redis(**tls).ping()
    with pytest.raises(AuthenticationError, match="invalid username-password"):
        Redis(**tls, username="producer", password="wrong").ping()
    with pytest.raises(Exception, match=r"reset|closed"):
        Redis(host="localhost", port=port, retry=Retry(NoBackoff(), 0)).ping()
    shut.site.denied()


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda url: url.replace("producer:", "producer:x"), "the password is wrong.*site init"),
        (lambda url: "rediss://" + url.partition("@")[2], "lets nobody in without a user.*USER:PASSWORD"),
        (lambda url: url.replace("@localhost", "@127.0.0.1"), "certificate for another name"),
    ],
    ids=["password", "nobody", "name"],
)
def test_a_wrong_url_is_told(shut: Shut, change: Callable[[str], str], says: str) -> None:
    """By the job store and the broker alike, with what to do."""
    settings = shut.site.settings("producer", redis_url=change(shut.site.values("producer")["redis_url"]))

    with Client(settings) as client, pytest.raises(StoreUnavailable, match=says):
        client.hosts()
    with pytest.raises(BrokerUnavailable, match=says):
        Broker(settings).check()
    shut.site.denied()


def test_another_authority_is_not_trusted(shut: Shut, tmp_path: Path) -> None:
    """Neither by the job store nor by the broker, and the system's own is not either."""
    other = ShutSite(tmp_path, 1, [])
    for ca_file in (str(other.ca_file), None):
        settings = shut.site.settings("producer", redis_ca_file=ca_file)
        with Client(settings) as client, pytest.raises(StoreUnavailable, match=r"not trusted here.*redis_ca_file"):
            client.hosts()
        with pytest.raises(BrokerUnavailable, match=r"not trusted here.*redis_ca_file"):
            Broker(settings).check()


def test_the_wrong_role_is_told(shut: Shut) -> None:
    """A producer may not set quotas: who may is said."""
    with pytest.raises(StoreUnavailable, match=r"does not allow this to the user of this process.*operators'"):
        shut.client.set_quota("default", "cpu", 99)
    shut.site.denied()


def test_a_host_that_is_added_gets_in_after_a_reload(shut: Shut) -> None:
    """`aitrain site add-host`, then ACL LOAD."""
    from aitrain.site_files import add_host

    add_host(shut.site.files, "h3")
    shut.site.redis("admin").acl_load()

    assert shut.site.redis("host-h3").hgetall(ROOT + "host:h3") == {}
    with pytest.raises(NoPermissionError):
        shut.site.redis("host-h3").hgetall(ROOT + "host:h1")
    shut.site.denied()
