"""Whoever may write to the broker puts messages there by hand. The workers live on, run nothing, and say so."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest
from redis import Redis

from aitrain import JobState
from aitrain.broker import CONTROL_QUEUE
from aitrain.store import HostTiming
from tests.acceptance.conftest import Fleet, eventually
from tests.forging import BROKEN, CLEANED, REFUSED, message, signature
from workers.refusals import LINES_A_MINUTE
from workers.scratch.servers import DockerEngine
from workers.scratch.site import Aitrain

HOST_QUEUE = "cpu.cpu.h1"
ORDERS: tuple[tuple[str, dict[str, Any]], ...] = (
    ("shutdown", {}), ("pool_shrink", {"n": 100}), ("add_consumer", {"queue": "evil"}),
    ("cancel_consumer", {"queue": CONTROL_QUEUE}), ("revoke", {"task_id": "x", "terminate": True}),
    ("rate_limit", {"task_name": "aitrain.sync_in", "rate_limit": "0/s"}),
    ("time_limit", {"task_name": "aitrain.sync_in", "hard": 1}),
)  # fmt: skip


@dataclass
class Site:
    """A site, and its broker as somebody sees it who writes there."""

    fleet: Fleet
    broker: Redis
    control: Aitrain
    worker: Aitrain

    def key(self, queue: str) -> str:
        return f"{self.fleet.site.settings.namespace}:{queue}"

    def put(self, queue: str, *messages: Any) -> None:
        for one in messages:
            self.broker.lpush(self.key(queue), one if isinstance(one, bytes) else json.dumps(one))

    def sweeps_again(self) -> None:
        """What was put before this is behind the control worker."""
        sweeps = self.fleet.client._store._key("sweeps")
        self.broker.hdel(sweeps, "mark_timeouts")
        self.put(CONTROL_QUEUE, message())
        eventually(lambda: self.broker.hexists(sweeps, "mark_timeouts"), what="a sweep after all that")

    def refused(self) -> int:
        return sum(self.fleet.client._store.refused().values())

    def unharmed(self) -> None:
        assert self.control.process is not None
        assert self.worker.process is not None
        assert self.control.process.poll() is None
        assert self.worker.process.poll() is None
        unacked = [f"{name}.{of}" for name in ("unacked", "unacked_index") for of in ("control", "host.h1")]
        keys = [self.key(name) for name in (*unacked, "unacked", "evil", CONTROL_QUEUE, HOST_QUEUE)]
        eventually(lambda: not self.broker.exists(*keys), 5, "nothing left in the broker")


@pytest.fixture(scope="module")
def site(make_fleet: Callable[..., Fleet], engine: DockerEngine) -> Iterator[Site]:
    fleet = make_fleet()
    worker, agent = (fleet.site.host("h1", {"cpu": 2}, engine.url, role=role) for role in ("worker", "agent"))
    control = fleet.site.control()
    with ExitStack() as stack:
        for process in (control, worker, agent):
            stack.enter_context(process)
        broker = stack.enter_context(Redis.from_url(fleet.site.settings.redis_url))
        fleet.until(fleet.submit("true"), "DONE")
        yield Site(fleet, broker, control, worker)


@pytest.fixture
def fleet(site: Site) -> Fleet:
    """For the logs of a failed test."""
    return site.fleet


def test_a_control_worker_takes_none_of_them(site: Site) -> None:
    before, log = site.refused(), Path(site.control.log)
    said = log.stat().st_size
    site.put(CONTROL_QUEUE, *(forged for forged, _ in REFUSED.values()), *BROKEN, *CLEANED.values())
    site.sweeps_again()
    site.unharmed()
    eventually(lambda: site.refused() - before >= len(REFUSED) + len(BROKEN), what="they are counted")
    text = log.read_bytes()[said:].decode()
    assert "Traceback" not in text
    assert text.count("was refused and dropped") == min(LINES_A_MINUTE, len(REFUSED) + len(BROKEN))
    assert site.refused() - before == len(REFUSED) + len(BROKEN)


def test_nobody_changes_a_worker_from_afar(site: Site) -> None:
    before = site.refused()
    control = site.fleet.client._broker.app.control
    for method, arguments in ORDERS:
        control.broadcast(method, arguments=arguments)
    assert site.broker.publish(f"{site.key('')}/0.celery.pidbox", b"[" * 100_000) == 2, "one of each worker"
    eventually(lambda: site.refused() - before >= 2 * len(ORDERS) + 2, what="they are counted")
    site.sweeps_again()
    site.unharmed()
    assert set(site.fleet.client._broker.readers()) >= {CONTROL_QUEUE, HOST_QUEUE}, "looking is allowed"


def test_a_host_runs_what_the_job_store_says_and_nothing_else(site: Site) -> None:
    job = site.fleet.until(site.fleet.submit("sh", "-c", "sleep 2; echo done"), "RUNNING")
    ended = site.fleet.client.iter_jobs(states=[JobState.DONE], limit=1)
    other = next(iter(ended))
    steps = ("sync_in", "start_container", "monitor", "sync_out")
    site.put(
        HOST_QUEUE,
        *(message(f"aitrain.{step}", "no-such-job", job.fence) for step in steps),
        *(message(f"aitrain.{step}", job.id, "1.0000000000000000") for step in steps),
        *(message(f"aitrain.{step}", other.id, other.fence) for step in steps),
        # Of its own job, with the right fence, at the wrong time.
        *(message(f"aitrain.{step}", job.id, job.fence) for step in ("sync_in", "start_container", "sync_out")),
        message("aitrain.copy_data", job.id, job.fence, "no-such-order"),
        message("aitrain.bill_minutes"),
        message("aitrain.sync_in", job.id, job.fence, embed={"callbacks": [signature("evil")]}),
        message(headers={"expires": "2020-01-01T00:00:00+00:00"}),
    )
    end = site.fleet.end(job)
    assert (end.state, end.attempt) == (JobState.DONE, 1)
    assert site.fleet.starts(job) == 1
    assert site.fleet.log(job) == ["done"]
    assert site.fleet.client.get(other.id) == other
    site.fleet.came_to_rest(end, "h1")
    site.unharmed()


def test_another_hosts_job_is_not_touched(site: Site) -> None:
    """Its message is put into this host's queue, with the right fence."""
    store, timing = site.fleet.client._store, HostTiming(60_000, 60_000)
    store.cordon("h1")
    store.join_host("h2", instance="m2", units={"cpu": ["0"]}, max_jobs=1, timing=timing)
    store.heartbeat("h2", instance="m2", fit=True, seen=[], timing=timing, resend_ms=60_000)
    job = site.fleet.until(site.fleet.submit("true"), "INITIALIZING")
    store.uncordon("h1")
    site.put(HOST_QUEUE, message("aitrain.sync_in", job.id, job.fence))
    site.fleet.end(site.fleet.submit("true"))
    now = site.fleet.client.get(job.id)
    assert (now.host, now.state, len(now.history)) == ("h2", JobState.INITIALIZING, 2)
    assert site.fleet.starts(job) == 0
    site.unharmed()


def test_an_operator_sees_what_is_left_to_be_upgraded(site: Site) -> None:
    view = site.fleet.client.host("h1")
    assert view.version == view.agent_version == view.worker_version == version("aitrain")
    site.fleet.client._store.tell_version("h1", "worker", "0.0.9")
    assert site.fleet.client.host("h1").version == f"agent {version('aitrain')}, worker 0.0.9"
