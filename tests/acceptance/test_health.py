"""Health: real processes that hang, stand still or are gone, and what `aitrain health` says of them."""

from __future__ import annotations

import json
import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from aitrain.cli.app import app
from aitrain.domain.health import Role, judge
from tests.acceptance.conftest import QUICK, Fleet, eventually
from workers.scratch.link import Condition, Link
from workers.scratch.servers import RedisServer, frozen
from workers.scratch.site import Aitrain
from workers.watch import EXIT_STUCK

QUICKLY = QUICK | {
    "canary_seconds": 0.3, "canary_stale_seconds": 4, "sweep_seconds": 0.5, "loop_patience_seconds": 1,
    "stop_grace_seconds": 1,
}  # fmt: skip
# What is asked of the engine here, it need not answer.
NO_ENGINE = "unix:///nonexistent.sock"


class Site:
    """A site, and what is said of its health."""

    def __init__(self, fleet: Fleet) -> None:
        self.fleet = fleet
        self.processes: dict[str, Aitrain] = {}

    def health(self, *arguments: str, host: str = "h1") -> tuple[int, Any]:
        """The exit status, and what is said in JSON."""
        env = self.fleet.site.environment(host={"name": host})
        done = CliRunner().invoke(app, ["health", *arguments, "-o", "json"], env=env)
        return done.exit_code, json.loads(done.output)

    def becomes(self, role: str, *, well: bool, host: str = "h1") -> str:
        """Waits until a process is well, or not; why."""

        name = host if role in ("worker", "agent") else socket.gethostname()

        def found() -> bool:
            # Much cheaper than to ask the command line until then.
            vitals = self.fleet.client._store.vitals()
            stale_s, sweep_s = QUICKLY["canary_stale_seconds"], QUICKLY["sweep_seconds"]
            return judge(vitals.find(Role(role), name), vitals, stale_s, sweep_s).well is well

        eventually(found, 40, f"{role} well={well}")
        status, said = self.health(role, host=host)
        assert (status, said["well"]) == (0 if well else 1, well)
        return str(said["why"])


@pytest.fixture(scope="module")
def site(make_fleet: Callable[..., Fleet]) -> Iterator[Site]:
    site = Site(make_fleet(timing=QUICKLY))
    local = site.fleet.site
    site.processes = {
        "control": local.control(), "beat": local.beat(),
        "worker": local.host("h1", {"cpu": 1}, NO_ENGINE, role="worker"),
        "agent": local.host("h1", {"cpu": 1}, NO_ENGINE, role="agent"),
    }  # fmt: skip
    with ExitStack() as stack:
        for process in site.processes.values():
            stack.enter_context(process)
        for role in site.processes:
            site.becomes(role, well=True)
        yield site


@pytest.fixture
def fleet(site: Site) -> Fleet:
    """For the logs of a failed test."""
    return site.fleet


pytestmark = pytest.mark.usefixtures("fleet")


def sweeps_are_late(site: Site) -> bool:
    vitals = site.fleet.client._store.vitals()
    return vitals.now_ms - max(at for name, at in vitals.sweeps.items() if "." not in name) > 4500


def test_a_site_that_works_is_well(site: Site) -> None:
    """An engine that is away is no fault of the agent: a new start would not find it either."""
    status, said = site.health()
    assert status == 0, said
    here = socket.gethostname()
    assert {(one["role"], one["name"]) for one in said} == {
        ("worker", "h1"), ("agent", "h1"), ("control", here), ("beat", here),
    }  # fmt: skip
    status, said = site.health("worker", "--name", "h2")
    assert (status, said["well"]) == (1, False)
    assert said["why"].startswith("there is no sign of it yet")


@pytest.mark.parametrize("role", ["worker", "agent", "control", "beat"])
def test_a_process_that_stands_still_is_not_well_and_goes_on_afterwards(site: Site, role: str) -> None:
    process = site.processes[role].process
    assert process is not None
    with frozen(process.pid):
        assert "it has not " in site.becomes(role, well=False)
        others = {one["role"]: one["well"] for one in site.health()[1]}
        assert others == dict.fromkeys(site.processes, True) | {role: False}
        if role == "control":
            eventually(lambda: sweeps_are_late(site), 10, "sweeps")
            beat = site.health("beat")[1]["why"]
            assert "no sweep has succeeded for " in beat
            assert "look at the control workers" in beat
    site.becomes(role, well=True)
    assert process.poll() is None, "it was not ended for having been frozen"


def test_a_worker_whose_way_to_its_queues_hangs_ends(site: Site, redis: RedisServer) -> None:
    link = Link(redis.port).start()
    broker_url = redis.url.replace(f":{redis.port}", f":{link.port}")
    worker = site.fleet.site.host("h3", {"cpu": 1}, NO_ENGINE, role="worker")
    worker._env["AITRAIN_BROKER_URL"] = broker_url
    try:
        with worker:
            site.becomes("worker", well=True, host="h3")
            link.be(Condition.STALLED)
            assert worker.process is not None
            assert worker.process.wait(40) == EXIT_STUCK
            why = site.becomes("worker", well=False, host="h3")
            assert "the broker takes its messages, but none has come back for " in why
            assert "so that it is started anew" in worker.log.read_text()
    finally:
        link.stop()


def test_an_agent_with_a_loop_that_hangs_says_which_and_ends(site: Site, tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as engine:
        # It takes every call, and answers none.
        engine.bind(str(tmp_path / "docker.sock"))
        engine.listen(64)
        agent = site.fleet.site.host("h4", {"cpu": 1}, f"unix://{tmp_path}/docker.sock", role="agent")
        with agent:
            assert agent.process is not None
            assert agent.process.wait(40) == EXIT_STUCK
    assert "loops of the agent have not come round: Reconcile for " in site.becomes("agent", well=False, host="h4")
    assert "containers run on" in agent.log.read_text()


def test_a_job_store_that_is_away_is_told(site: Site) -> None:
    env = site.fleet.site.environment(redis_url="redis://127.0.0.1:1/0", host={"name": "h1"})
    done = CliRunner().invoke(app, ["health", "worker"], env=env)
    assert done.exit_code != 0
    assert "the job store does not answer" in str(done.exception)
