"""The facts of the doctor's findings, from real servers in good and in bad order."""

from __future__ import annotations

import os
import signal
import socket
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import docker
import pytest
from redis import Redis

from aitrain.broker import Broker
from aitrain.domain.errors import BrokerUnavailable, InvalidInput, StoreUnavailable
from aitrain.settings import DataStore, HostSettings, Settings, load_settings
from aitrain.store import HostTiming, Store
from aitrain.store.inspection import Inspection
from workers.datasync import inspection as data_stores
from workers.doctor import diagnose
from workers.doctor.finding import Verdict
from workers.runtime import inspection as engines
from workers.runtime.faults import EngineUnavailable
from workers.runtime.networks import ensure_network
from workers.scratch.servers import DockerEngine, RedisServer, S3Server, free_port

TIMING = HostTiming(60_000, 120_000)


class OddRedis(RedisServer):
    """A Redis as a careless operator sets it up."""

    def command(self) -> list[str]:
        odd = ["--appendonly", "no", "--maxmemory", "64mb", "--maxmemory-policy", "allkeys-lru"]
        return [*super().command(), *odd]


class SteadyEngine(DockerEngine):
    """An engine whose containers outlive it."""

    def command(self) -> list[str]:
        return [*super().command(), "--live-restore"]


@pytest.fixture(scope="module")
def odd_redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OddRedis]:
    with OddRedis(tmp_path_factory.mktemp("odd")) as server:
        yield server


def verdicts(settings: Settings, *, with_host: bool = False) -> dict[str, Verdict]:
    return {finding.check: finding.verdict for finding in diagnose(settings, with_host=with_host)}


# ── Redis ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_server_as_it_should_be(redis: RedisServer, namespace: str) -> None:
    with closing(Inspection(redis.url, namespace=namespace)) as inspection:
        facts = inspection.server()
    assert (facts.role, facts.append_only, facts.fsync, facts.policy) == ("master", True, "everysec", "noeviction")
    assert (facts.append_ok, facts.rewrite_ok, facts.snapshot_ok, facts.cluster) == (True, True, True, False)
    assert facts.machine_memory > facts.used_memory > 0
    assert abs(facts.ahead_s) < 0.5
    assert facts.version.count(".") == 2


def test_a_careless_server(odd_redis: OddRedis, namespace: str) -> None:
    with closing(Inspection(odd_redis.url, namespace=namespace)) as inspection:
        facts = inspection.server()
    assert (facts.append_only, facts.policy, facts.max_memory) == (False, "allkeys-lru", 64 * 1024**2)
    as_store = verdicts(Settings(redis_url=odd_redis.url, namespace=namespace))
    assert (as_store["store.aof"], as_store["store.eviction"]) == (Verdict.FAIL, Verdict.FAIL)


def test_a_broker_of_its_own_is_judged_as_one(redis: RedisServer, odd_redis: OddRedis, namespace: str) -> None:
    found = verdicts(Settings(redis_url=redis.url, broker_url=odd_redis.url, namespace=namespace))
    assert (found["broker.aof"], found["broker.eviction"]) == (Verdict.WARN, Verdict.WARN)
    assert Verdict.FAIL not in found.values()
    same = verdicts(Settings(redis_url=redis.url, broker_url=redis.url[:-1] + "1", namespace=namespace))
    assert "broker.aof" not in same


def test_a_user_with_too_few_rights(odd_redis: OddRedis, namespace: str) -> None:
    raw: Redis = Redis.from_url(odd_redis.url)
    raw.execute_command("ACL", "SETUSER", "few", "on", ">few-secret", "~*", "&*", "+@all", "-@dangerous", "+info")
    raw.execute_command("ACL", "SETUSER", "none", "on", ">none-secret", "~other:*", "+@all")
    wrong, few, none = (odd_redis.url.replace("//", f"//{user}:{user}-secret@") for user in ("wrong", "few", "none"))
    with closing(Inspection(few, namespace=namespace)) as inspection:
        assert inspection.server().fsync is None
    for url in (none, wrong):
        findings = {finding.check: finding for finding in diagnose(Settings(redis_url=url, namespace=namespace))}
        refused = findings["store.reachable"]
        assert refused.verdict is Verdict.FAIL
        assert "ACL SETUSER" in refused.remedy, refused.found
        assert not any("-secret" in str(finding) for finding in findings.values())


def test_a_replica(redis: RedisServer, odd_redis: OddRedis, namespace: str) -> None:
    raw: Redis = Redis.from_url(odd_redis.url)
    raw.execute_command("REPLICAOF", "127.0.0.1", str(redis.port))
    try:
        assert verdicts(Settings(redis_url=odd_redis.url, namespace=namespace))["store.role"] is Verdict.FAIL
    finally:
        raw.execute_command("REPLICAOF", "NO", "ONE")


def test_a_server_that_is_not_there(namespace: str) -> None:
    gone = f"redis://127.0.0.1:{free_port()}/0"
    with pytest.raises(StoreUnavailable):
        Inspection(gone, namespace=namespace).server()
    with pytest.raises(BrokerUnavailable):
        Broker(Settings(redis_url=gone)).check()
    with pytest.raises(InvalidInput):
        Inspection("http://x", namespace=namespace)
    found = verdicts(Settings(redis_url="http://x"))
    assert found["store"] is Verdict.FAIL


def test_a_frozen_server_is_told_in_bounded_time(odd_redis: OddRedis, namespace: str) -> None:
    began = time.monotonic()
    os.kill(odd_redis.pid, signal.SIGSTOP)
    try:
        found = verdicts(Settings(redis_url=odd_redis.url, namespace=namespace))
    finally:
        os.kill(odd_redis.pid, signal.SIGCONT)
    assert (found["store.reachable"], found["broker.reachable"]) == (Verdict.FAIL, Verdict.FAIL)
    assert time.monotonic() - began < 20


def test_what_the_keys_of_a_site_say(store: Store, redis: RedisServer, namespace: str, tmp_path: Path) -> None:
    store.join_host("h1", instance="that", units={"cpu": ["0"]}, max_jobs=1, timing=TIMING)
    store.join_host("h2", instance="late", units={"cpu": ["0"]}, max_jobs=1, timing=HostTiming(-1, 120_000))
    now_ms = int(time.time() * 1000)
    for duty in (
        "mark_timeouts", "place_waiting", "bill_minutes", "recover_lost_hosts", "evict_drained", "drop_dead_messages",
    ):  # fmt: skip
        store.sweep_done(duty, now_ms)
    with closing(Inspection(redis.url, namespace=namespace)) as inspection:
        facts = inspection.site("h1")
        assert (facts.live_hosts, facts.away_hosts, facts.holder) == (("h1",), ("h2",), "that")
        assert inspection.site("h2").holder == ""
    assert facts.sweeps["bill_minutes"] == now_ms
    settings = load_settings(
        redis_url=redis.url, namespace=namespace,
        host={"name": "h1", "units": {"cpu": 1}, "data_dir": tmp_path, "docker_url": f"unix://{tmp_path}/none"},
    )  # fmt: skip
    found = verdicts(settings, with_host=True)
    assert (found["site.sweeps"], found["site.hosts"], found["host.name"]) == (Verdict.OK, Verdict.WARN, Verdict.FAIL)
    (tmp_path / "instance").write_text("that")
    assert verdicts(settings, with_host=True)["host.name"] is Verdict.OK


# ── data stores ─────────────────────────────────────────────────────────────────────────────────────────────────────


def reach(s3: S3Server, **wrong: Any) -> data_stores.DataStoreFacts:
    values = {
        "endpoint_url": s3.url, "region": s3.region, "access_key_id": s3.access_key_id,
        "secret_access_key": s3.secret_access_key, **wrong,
    }  # fmt: skip
    return data_stores.inspect("s3", DataStore.model_validate(values))


def test_a_data_store_that_takes_the_keys(s3: S3Server) -> None:
    facts = reach(s3)
    assert facts.containers is not None
    assert facts.ahead_s is not None
    assert abs(facts.ahead_s) <= facts.error_s + 0.1


@pytest.mark.parametrize(
    ("wrong", "code"),
    [({"access_key_id": "x"}, "InvalidAccessKeyId"), ({"secret_access_key": "x-y-z"}, "SignatureDoesNotMatch")],
)
def test_wrong_keys(s3: S3Server, wrong: dict[str, str], code: str) -> None:
    facts = reach(s3, **wrong)
    assert (facts.containers, facts.code) == (None, code)
    assert "correct the keys" in facts.complaint
    assert facts.ahead_s is not None


def test_a_data_store_that_is_not_there_or_says_nothing(s3: S3Server, monkeypatch: pytest.MonkeyPatch) -> None:
    gone = reach(s3, endpoint_url=f"http://127.0.0.1:{free_port()}")
    assert (gone.containers, gone.code, gone.ahead_s) == (None, "", None)
    assert "does not answer" in gone.complaint
    nonsense = reach(s3, endpoint_url="nonsense")
    assert (nonsense.containers, nonsense.code) == (None, "")
    assert "Invalid endpoint" in nonsense.complaint
    monkeypatch.setattr(data_stores, "ANSWER_SECONDS", 0.5)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        began = time.monotonic()
        facts = reach(s3, endpoint_url=f"http://127.0.0.1:{silent.getsockname()[1]}")
    assert "does not answer" in facts.complaint
    assert time.monotonic() - began < 5


# ── the engine ──────────────────────────────────────────────────────────────────────────────────────────────────────


def test_an_engine_as_the_tests_run_it(engine: DockerEngine) -> None:
    facts = engines.inspect(HostSettings(docker_url=engine.url))
    assert not facts.live_restore
    assert facts.api >= (1, 41)
    assert "nvidia" in facts.runtimes
    assert facts.processors == os.cpu_count()
    assert facts.memory > 0
    assert facts.root == str(engine.data_root)
    assert "none" in facts.networks
    assert "bridge" not in facts.networks, "it was started without"
    assert {"memory", "pids"} <= facts.limits
    assert abs(facts.ahead_s) <= facts.error_s + 0.1
    settings = load_settings(host={"name": "h", "units": {"v100s": 1}, "docker_url": engine.url})
    found = verdicts(settings, with_host=True)
    assert (found["engine.live_restore"], found["engine.network"]) == (Verdict.WARN, Verdict.FAIL)
    assert found["gpu.runtime"] is Verdict.OK


def test_an_engine_that_keeps_jobs_apart(tmp_path: Path) -> None:
    with DockerEngine(tmp_path / "guarded", bridges=True) as engine:
        settings = load_settings(
            host={"name": "h", "units": {"v100s": 1}, "docker_url": engine.url}, namespace=f"t{os.getpid()}"
        )
        assert verdicts(settings, with_host=True)["engine.network"] is Verdict.OK
        with closing(docker.DockerClient(engine.url)) as client:
            ensure_network(client, settings.namespace)
        assert verdicts(settings, with_host=True)["engine.network"] is Verdict.OK


def test_an_engine_with_live_restore(tmp_path: Path) -> None:
    with SteadyEngine(tmp_path / "steady") as engine:
        assert engines.inspect(HostSettings(docker_url=engine.url)).live_restore


def test_an_engine_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(EngineUnavailable):
        engines.inspect(HostSettings(docker_url=f"unix://{tmp_path}/none.sock"))
