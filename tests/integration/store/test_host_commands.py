"""The commands on hosts and queues, over a real Redis and without a fleet."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
from typer.testing import CliRunner

from aitrain import Client
from aitrain.broker import Broker
from aitrain.cli.app import app
from aitrain.domain.errors import AitrainError, InvalidInput
from aitrain.output import out
from aitrain.settings import load_settings
from aitrain.store import HostTiming, Store
from tests.integration.store.test_hosts import TIMING, joined, queued, running
from workers.dead_queues import drop_messages
from workers.machine import Machine
from workers.scratch.servers import RedisServer

Command = Callable[..., str]


@pytest.fixture
def aitrain(redis: RedisServer, store: Store, namespace: str, monkeypatch: pytest.MonkeyPatch) -> Command:
    monkeypatch.setenv("AITRAIN_REDIS_URL", redis.url)
    monkeypatch.setenv("AITRAIN_NAMESPACE", namespace)

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
    seen = json.loads(aitrain("host", "show", "h1", "-o", "json"))
    assert seen["units"] == {"cpu": {"total": 3, "free": 0, "held": 1, "aside": 2}}
    assert (seen["state"], seen["room"], seen["messages"]) == ("DRAINING", 8, 0)
    aitrain("host", "uncordon", "h1")
    aitrain("host", "uncordon", "h1", "--unit", "1")
    assert json.loads(aitrain("host", "list", "-o", "json"))[0]["units"]["cpu"]["free"] == 1


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
        rows = json.loads(aitrain("queue", "list", "-o", "json"))
        return {row["name"]: (row["messages"], row["owner"], row["dropped"]) for row in rows}

    assert queues() == {
        "control": (0, "control workers", 0), "unrouted": (1, "nobody", 0), "cpu.cpu.ready": (2, "host", 0),
        "cpu.cpu.away": (2, "host", 0), "cpu.cpu.lost": (2, "host", 0), "cpu.cpu.gone": (2, "removed host", 0),
    }  # fmt: skip
    assert "defect" in aitrain("queue", "list")
    assert drop_messages(machine) == {"cpu.cpu.lost": 2, "cpu.cpu.gone": 2}
    assert drop_messages(machine) == {}
    after = queues()
    assert "cpu.cpu.gone" not in after
    assert (after["cpu.cpu.lost"], after["cpu.cpu.away"]) == ((0, "host", 2), (2, "host", 0))
    assert "2 dropped" in aitrain("host", "list")
    assert store._redis.keys(f"{namespace}:_kombu*gone") == [], "the broker knows it no more"


@pytest.mark.parametrize("deadline", ["inf", "nan", "-1", "1e12", "1e300"])
def test_a_deadline_without_a_date_is_refused_and_spoils_no_listing(
    aitrain: Command, store: Store, deadline: str
) -> None:
    joined(store)
    with Client() as client, pytest.raises(InvalidInput, match="deadline"):
        client.drain_host("h1", deadline=float(deadline))
    with pytest.raises(InvalidInput, match="deadline"):
        aitrain("host", "drain", "h1", "--deadline", "1000000000000")
    assert "no duration" in aitrain("host", "drain", "h1", "--deadline", deadline, status=2)
    assert "READY" in aitrain("host", "list")


@pytest.mark.parametrize("reason", ["a\x1b[31mb", "two\nlines", "not \udcff text", "long " * 101])
def test_a_reason_is_one_line_of_text(aitrain: Command, store: Store, reason: str) -> None:
    joined(store)
    for order in ("cordon", "drain"):
        with pytest.raises(InvalidInput, match="reason"):
            aitrain("host", order, "h1", "--reason", reason)
    assert "READY" in aitrain("host", "list")


def test_a_narrow_terminal_cuts_no_name_that_is_to_be_copied(
    aitrain: Command, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given a long host name and units with the ids that a driver gives
    name, unit = "gpu-server-rack-17-node-03", "GPU-8f6d1c1e-1d1f-4a7e-9d5c-0a1b2c3d4e5f"
    store.join_host(name, instance=name, units={"cpu": [unit]}, max_jobs=9, timing=TIMING)
    job = running(store, queued(store))
    monkeypatch.setattr(out, "width", 80)
    # then no name is cut, though it may go over lines
    listings = [aitrain("host", "list"), aitrain("host", "show", name), aitrain("queue", "list")]
    for listing in listings:
        assert "…" not in listing
    cells = [line.split("│") for line in listings[1].splitlines() if line.startswith("│")]
    assert unit in "".join(cell[2].strip() for cell in cells if len(cell) == 6)
    assert job.id in "".join(cell[3].strip() for cell in cells if len(cell) == 6)
