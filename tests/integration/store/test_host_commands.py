"""The commands on hosts and queues, over a real Redis and without a fleet."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
from typer.testing import CliRunner

from aitrain.broker import Broker
from aitrain.cli.app import app
from aitrain.domain.errors import AitrainError
from aitrain.settings import load_settings
from aitrain.store import HostTiming, Store
from tests.integration.store.test_hosts import joined, queued, running
from workers.dead_queues import drop_messages
from workers.machine import Machine
from workers.scratch.servers import RedisServer

Command = Callable[..., str]


@pytest.fixture
def aitrain(redis: RedisServer, store: Store, namespace: str, monkeypatch: pytest.MonkeyPatch) -> Command:
    monkeypatch.setenv("AITRAIN_REDIS_URL", redis.url)
    monkeypatch.setenv("AITRAIN_NAMESPACE", namespace)
    monkeypatch.setenv("COLUMNS", "160")

    def run(*arguments: str, status: int = 0) -> str:
        done = CliRunner().invoke(app, arguments)
        if isinstance(done.exception, AitrainError):
            raise done.exception
        assert done.exit_code == status, done.output
        return done.output

    return run


@pytest.fixture
def broker(redis: RedisServer, namespace: str) -> Broker:
    return Broker(load_settings(redis_url=redis.url, namespace=namespace))


def test_a_host_is_shown_as_it_stands(aitrain: Command, store: Store) -> None:
    joined(store, units=3)
    job = running(store, queued(store))
    aitrain("host", "cordon", "h1", "--unit", "cpu/1", "--reason", "fan")
    store.report_faults("h1", instance="h1", faults={"cpu": {"2": "[memory] in use"}})
    drained = aitrain("host", "drain", "h1", "--deadline", "3600", "--reason", "new disks")
    assert "h1 drains; jobs there: 1" in drained
    listed = aitrain("host", "list")
    for text in ("h1", "DRAINING", "1/9", "drained by", "new disks; jobs are evicted at"):
        assert text in listed
    shown = aitrain("host", "show", "h1")
    for text in (job.id, "RUNNING", "[memory] in use", "fan"):
        assert text in shown
    seen = json.loads(aitrain("host", "show", "h1", "--json"))
    assert seen["units"] == {"cpu": {"total": 3, "free": 0, "held": 1, "aside": 2}}
    assert (seen["state"], seen["room"], seen["messages"]) == ("DRAINING", 8, 0)
    aitrain("host", "uncordon", "h1")
    aitrain("host", "uncordon", "h1", "--unit", "1")
    assert json.loads(aitrain("host", "list", "--json"))[0]["units"]["cpu"]["free"] == 1


def test_a_host_is_removed_when_it_is_dead_and_empty(aitrain: Command, store: Store) -> None:
    joined(store)
    assert "it is alive" in aitrain("host", "remove", "h1", status=1)
    store.join_host("h1", instance="h1", units={"cpu": ["0"]}, max_jobs=9, timing=HostTiming(-1, 60_000))
    assert "AWAY" in aitrain("host", "list")
    assert "h1 removed" in aitrain("host", "remove", "h1")
    assert "h1" not in aitrain("host", "list")


def test_queues_of_dead_hosts_are_emptied_and_those_of_others_kept(
    aitrain: Command, store: Store, broker: Broker, redis: RedisServer, namespace: str
) -> None:
    machine = Machine(load_settings(redis_url=redis.url, namespace=namespace))
    for host, timing in (
        ("ready", HostTiming(60_000, 120_000)), ("away", HostTiming(-1, 60_000)), ("lost", HostTiming(-1, 0)),
        ("gone", HostTiming(-1, 0)),
    ):  # fmt: skip
        store.join_host(host, instance=host, units={"cpu": ["0"]}, max_jobs=9, timing=timing)
        broker.send_chain("j", "1.a", f"cpu.cpu.{host}")
        broker.send_chain("k", "1.a", f"cpu.cpu.{host}")
    broker.send_chain("j", "1.a", "unrouted")
    store.remove_host("gone", force=False, message="", keep_ms=0)

    def queues() -> dict[str, tuple[int, str, int]]:
        rows = json.loads(aitrain("queue", "list", "--json"))
        return {row["name"]: (row["messages"], row["owner"], row["dropped"]) for row in rows}

    assert queues() == {
        "control": (0, "control workers", 0), "unrouted": (1, "nobody", 0), "cpu.cpu.ready": (2, "host", 0),
        "cpu.cpu.away": (2, "host", 0), "cpu.cpu.lost": (2, "host", 0), "cpu.cpu.gone": (2, "removed host", 0),
    }  # fmt: skip
    assert "that is a defect" in aitrain("queue", "list")
    assert drop_messages(machine) == {"cpu.cpu.lost": 2, "cpu.cpu.gone": 2}
    assert drop_messages(machine) == {}
    after = queues()
    assert "cpu.cpu.gone" not in after
    assert (after["cpu.cpu.lost"], after["cpu.cpu.away"]) == ((0, "host", 2), (2, "host", 0))
    assert "2 dropped" in aitrain("host", "list")
    assert store._redis.keys(f"{namespace}:_kombu*gone") == [], "the broker knows it no more"
