"""Two hosts, as an operator deals with them: cordoned, drained, lost, back, removed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import pytest

from aitrain import HostNotFound, Job
from aitrain.domain.host import HostState
from aitrain.domain.logs import NOTICE
from aitrain.domain.states import EndCause, InfoCode
from tests.acceptance.conftest import QUICK, Fleet, eventually
from tests.acceptance.test_cli import Shell
from workers.scratch.servers import DockerEngine
from workers.scratch.site import Aitrain

TIMING = {
    **QUICK,
    "host_lease_seconds": 4,
    "host_grace_seconds": 8,
    "host_lost_margin_seconds": 1,
    "stop_grace_seconds": 1,
    "retry_pause_seconds": 0.2,
}
UNITS = 3
COUNTS = "i=0; while :; do i=$((i+1)); echo $i; sleep 0.1; done"


@dataclass
class Pair:
    """A site of two hosts, h1 and h2. Each has a worker and an agent of its own."""

    fleet: Fleet
    aitrain: Shell
    workers: dict[str, Aitrain]
    agents: dict[str, Aitrain]

    def on_h1(self, *command: str, **fields: Any) -> Job:
        """Submits a job that is placed on h1."""
        self.fleet.client.cordon_host("h2")
        job = self.fleet.submit(*command, **fields)
        self.fleet.until(job, "INITIALIZING", "PENDING", "RUNNING")
        self.fleet.client.uncordon_host("h2")
        assert self.fleet.client.get(job.id).host == "h1"
        return job

    def delete(self, job: Job) -> None:
        """Has a job stopped and deleted, and waits until it is gone."""
        self.fleet.client.delete(job.id, force=True)
        eventually(lambda: not self.fleet.client._store.get_many([job.id]), 30, "its end")

    def runs_on(self, job: Job, host: str, attempt: int) -> Job:
        """Waits until that attempt of a job runs, and checks that it does so there."""
        eventually(lambda: self.fleet.client.get(job.id).attempt == attempt, 60, f"attempt {attempt}")
        now = self.fleet.until(job, "RUNNING", seconds=60)
        assert (now.host, now.attempt) == (host, attempt)
        return now


@pytest.fixture
def fleet(pair: Pair) -> Fleet:
    """The site, for whoever shows its logs if a test fails."""
    return pair.fleet


@pytest.fixture(scope="module")
def pair(make_fleet: Callable[..., Fleet], engine: DockerEngine) -> Iterator[Pair]:
    with ExitStack() as stack:
        fleet = make_fleet(timing=TIMING)
        roles: list[dict[str, Aitrain]] = [
            {name: fleet.site.host(name, {"cpu": UNITS}, engine.url, role=role) for name in ("h1", "h2")}
            for role in ("worker", "agent")
        ]
        for process in (*roles[0].values(), *roles[1].values()):
            process.start()
            stack.callback(process.stop)
        stack.enter_context(fleet.site.control())
        stack.enter_context(fleet.site.beat())
        eventually(lambda: [view.state for view in fleet.client.hosts()] == [HostState.READY] * 2, 60, "both hosts")
        yield Pair(fleet, Shell(fleet.site.environment()), *roles)


def test_a_drain_moves_a_running_job_and_its_data_to_the_other_host(pair: Pair, fleet: Fleet, bucket: str) -> None:
    resume = "if [ -e /out/checkpoint ]; then cat /out/checkpoint; exit; fi; echo step-7 > /out/checkpoint; sleep 600"
    job = pair.on_h1("sh", "-c", f"echo ready; {resume}", volumes=[f"{bucket}@s3:/out:rw"])
    eventually(lambda: fleet.log(job), 30, "its first line")
    assert "drained" in pair.aitrain("host", "drain", "h1", "--deadline", "0", "--reason", "new disks", "--wait")
    ended = fleet.end(job)
    assert (ended.state, ended.host, ended.attempt) == ("DONE", "h2", 2)
    assert fleet.log(job)[-1] == "step-7", "the second attempt has what the first one wrote"
    assert (ended.evictions, ended.platform_tries) == (1, 0)
    assert (ended.earlier_attempts[0].cause, ended.earlier_attempts[0].host) == (EndCause.EVICTED, "h1")
    evicted = next(entry for entry in ended.history if entry.code is InfoCode.JOB_EVICTED)
    assert "host h1 is drained by" in evicted.message
    assert "new disks" in evicted.message
    assert fleet.client.host("h1").state is HostState.DRAINED
    fleet.client.uncordon_host("h1")
    assert fleet.client.host("h1").state is HostState.READY


def test_what_is_stopped_while_it_is_evicted_stays_stopped(pair: Pair, fleet: Fleet) -> None:
    job = pair.on_h1("sh", "-c", "trap '' TERM; echo ready; while :; do sleep 1; done")
    eventually(lambda: fleet.log(job), 30, "its first line")
    fleet.client.drain_host("h1", deadline=0)
    assert fleet.client.stop(job.id, by="bob").done
    ended = fleet.end(job)
    fleet.client.uncordon_host("h1")
    assert (ended.state, ended.end_cause, ended.attempt) == ("INTERRUPTED", EndCause.STOPPED, 1)


def test_what_had_not_run_is_placed_elsewhere_at_once(pair: Pair, fleet: Fleet) -> None:
    pair.workers["h1"].stop()
    job = pair.on_h1("sleep", "600")
    fleet.client.drain_host("h1", deadline=0)
    now = pair.runs_on(job, "h2", 2)
    assert (now.earlier_attempts[0].cause, now.earlier_attempts[0].started_ms) == (EndCause.EVICTED, None)
    fleet.client.uncordon_host("h1")
    pair.workers["h1"].start()
    pair.delete(job)


def test_a_unit_that_is_set_aside_gets_no_job(pair: Pair, fleet: Fleet) -> None:
    client = fleet.client
    for unit in ("0", "cpu/1"):
        client.cordon_host("h1", unit, reason="fan")
    client.cordon_host("h2")
    first = fleet.submit("sleep", "600")
    assert fleet.until(first, "RUNNING").unit_ids == ("2",)
    second = fleet.submit("true")
    units = client.host("h1").flavors[0]
    assert (units.total, units.free, units.held, units.aside) == (3, 0, 1, 2)
    assert client.get(second.id).state == "QUEUED"
    client.uncordon_host("h1", "0")
    assert fleet.end(second).unit_ids == ("0",)
    client.uncordon_host("h1", "1")
    client.uncordon_host("h2")
    pair.delete(first)


def test_a_host_is_lost_comes_back_and_is_removed(pair: Pair, fleet: Fleet) -> None:
    client = fleet.client
    moves, ends = (pair.on_h1("sh", "-c", COUNTS, on_host_loss=policy) for policy in ("requeue", "fail"))
    for job in (moves, ends):
        pair.runs_on(job, "h1", 1)
        eventually(lambda job=job: fleet.log(job), 30, "its first line")
    pair.workers["h1"].kill()
    waits = pair.on_h1("sleep", "600", on_host_loss="fail", platform_retries=0)
    assert eventually(lambda: client.host("h1").messages, 10, "a message that nobody reads")
    pair.agents["h1"].kill()
    assert client.remove_host("h1", force=True).why == "alive"

    eventually(lambda: client.host("h1").state is HostState.LOST, 60, "the loss")
    pair.runs_on(moves, "h2", 2)
    assert pair.runs_on(waits, "h2", 2).earlier_attempts[0].cause is EndCause.HOST_LOST
    assert (fleet.end(ends).state, client.get(ends.id).code) == ("ERROR", InfoCode.JOB_EVICTED)
    assert fleet.minutes(ends) == [0], "billed until the last heartbeat"
    eventually(lambda: client.host("h1").dropped and not client.host("h1").messages, 30, "the sweep of its queue")
    listed = {queue.name: queue for queue in client.queues()}
    assert (listed["cpu.cpu.h1"].state, listed["cpu.cpu.h1"].workers) == (HostState.LOST, ())
    assert (listed["cpu.cpu.h2"].workers or ("",))[0].startswith("h2@")
    assert listed["unrouted"].messages == 0

    pair.agents["h1"].start()
    eventually(lambda: client.host("h1").state is HostState.READY, 30, "its return")
    assert [unit.job_id for unit in client.host("h1").flavors[0].units] == ["", "", ""]
    assert client.host("h2").flavors[0].held == 2

    for job in (moves, ends):
        *shipped, notice = client.logs(job.id, attempt=1)
        assert [line.text for line in shipped] == [str(number) for number in range(1, len(shipped) + 1)]
        assert (notice.stream, notice.text) == (NOTICE, "[aitrain: the end of the log could not be read]")
    assert client.stop(moves.id).done
    assert fleet.end(moves).attempt == 2
    numbers = fleet.log(moves)
    assert numbers == [str(number) for number in range(1, len(numbers) + 1)], "the second attempt's has no gap"
    pair.agents["h1"].kill()
    eventually(lambda: client.host("h1").state is not HostState.READY, 30, "its lease to lapse")
    assert client.remove_host("h1").done
    assert [view.name for view in client.hosts()] == ["h2"]
    with pytest.raises(HostNotFound):
        client.host("h1")
    eventually(lambda: not [q for q in client.queues(ask_workers=False) if q.host == "h1"], 30, "its queue to go")
