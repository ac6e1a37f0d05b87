"""Each cell of the agent's table, with a real engine and a real store: one look, and what it comes to."""

from __future__ import annotations

import errno
import threading
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

import pytest

from aitrain.domain.admission import admit
from aitrain.domain.placement import place
from aitrain.domain.spec import JobSpec
from aitrain.domain.states import EndCause, State
from aitrain.settings import Settings, load_settings
from aitrain.store import HostTiming, Lease
from tests.acceptance.conftest import eventually
from workers.agent.acting import Actor
from workers.agent.looking import Reconcile
from workers.agent.reconcile import Found
from workers.machine import Machine
from workers.runtime import ContainerSpec, Labels, container_name
from workers.scratch.images import BUSYBOX_IMAGE
from workers.scratch.servers import DockerEngine, RedisServer
from workers.workspace import Workspace

TIMING = HostTiming(60_000, 120_000)
S, F = State, Found
WAY = (S.INITIALIZING, S.PENDING, S.RUNNING)


@dataclass
class Bench:
    """One host's agent without its loops: `look` is what a loop does."""

    machine: Machine
    reconcile: Reconcile
    job_id: str = ""
    fence: str = ""

    def job_in(self, state: State, *, started: bool = True) -> None:
        """Puts a job of this host into a state; started: its container has run, as far as the store knows."""
        store, settings = self.machine.store, self.machine.settings
        self.job_id = str(uuid.uuid4())
        store.submit(self.job_id, admit(JobSpec.of(image="x", resources={"cpu": 1}), settings.site))
        for assignment in place(store.placement_view()).assignments:
            self.fence = store.assign(assignment) or ""
        way = WAY if started and state not in WAY else WAY[: WAY.index(state) + 1] if state in WAY else WAY[:2]
        for step in way[1:]:
            assert store.transition(
                self.job_id, self.fence, step, fields={"started_ms": 1000} if step is S.RUNNING else {}
            ).moved
        if state is S.INTERRUPTING:
            assert store.stop(self.job_id, "stopped").done
        elif state in (S.TIMEOUT, S.FINALIZING):
            assert store.transition(self.job_id, self.fence, state, cause=EndCause.TIMED_OUT).moved

    def container(self, found: Found, *, fence: str = "", job_id: str = "") -> str:
        """Gives the engine a container, of the job unless it is said whose; its name."""
        if found is F.NOTHING:
            return ""
        job_id = job_id or self.job_id
        labels = {Labels.JOB: job_id, Labels.FENCE: fence or self.fence, Labels.ATTEMPT: "1", Labels.PROJECT: "p"}
        command = ("sleep", "60") if found is F.RUNNING else ("sh", "-c", "exit 3")
        spec = ContainerSpec(
            container_name(job_id, 1), BUSYBOX_IMAGE, command, labels, Decimal("0.5"), Decimal("0.1"), Decimal("0.1")
        )
        container = self.machine.engine.create(spec)
        if found is not F.CREATED:
            self.machine.engine.start(container, command)
        if found is F.EXITED:
            eventually(lambda: not self.machine.engine.find(spec.name).running, what="its exit")  # type: ignore[union-attr]
        return spec.name

    def look(self) -> tuple[State, Found]:
        """One look of the agent, and what stands then."""
        self.reconcile.look()
        return self.stands()

    def stands(self) -> tuple[State, Found]:
        container = self.machine.engine.of_attempt(self.job_id, 1, self.fence)
        if container is None:
            found = F.NOTHING
        elif container.running:
            found = F.RUNNING
        else:
            found = F.EXITED if container.exited else F.CREATED
        return self.machine.store.get(self.job_id).state, found


@pytest.fixture
def bench(redis: RedisServer, engine: DockerEngine, namespace: str, tmp_path: Path) -> Iterator[Bench]:
    settings: Settings = load_settings(
        redis_url=redis.url,
        namespace=namespace,
        host={
            "name": "h1", "units": {"cpu": 1}, "docker_url": engine.url, "container_network": "none",
            "data_dir": str(tmp_path),
        },
        timing={"stop_grace_seconds": 1, "orphan_grace_seconds": 0.5},
    )  # fmt: skip
    machine = Machine(settings)
    reconcile = Reconcile(machine, threading.Event(), Actor(machine))
    machine.store.join_host("h1", instance=machine.instance, units={"cpu": ["0"]}, max_jobs=9, timing=TIMING)
    reconcile.joined.set()
    yield Bench(machine, reconcile)
    for container in machine.engine.containers():
        machine.engine.remove(container)


CELLS: list[tuple[State, Found, State, Found]] = [
    (S.INITIALIZING, F.NOTHING, S.INITIALIZING, F.NOTHING),
    (S.INITIALIZING, F.CREATED, S.INITIALIZING, F.CREATED),
    (S.INITIALIZING, F.RUNNING, S.RUNNING, F.RUNNING),
    (S.INITIALIZING, F.EXITED, S.FINALIZING, F.EXITED),
    (S.PENDING, F.NOTHING, S.PENDING, F.NOTHING),
    (S.PENDING, F.CREATED, S.PENDING, F.CREATED),
    (S.PENDING, F.RUNNING, S.RUNNING, F.RUNNING),
    (S.PENDING, F.EXITED, S.FINALIZING, F.EXITED),
    (S.RUNNING, F.NOTHING, S.FINALIZING, F.NOTHING),
    (S.RUNNING, F.CREATED, S.FINALIZING, F.CREATED),
    (S.RUNNING, F.RUNNING, S.RUNNING, F.RUNNING),
    (S.RUNNING, F.EXITED, S.FINALIZING, F.EXITED),
    (S.INTERRUPTING, F.NOTHING, S.FINALIZING, F.NOTHING),
    (S.INTERRUPTING, F.CREATED, S.FINALIZING, F.CREATED),
    (S.INTERRUPTING, F.RUNNING, S.FINALIZING, F.EXITED),
    (S.INTERRUPTING, F.EXITED, S.FINALIZING, F.EXITED),
    (S.TIMEOUT, F.NOTHING, S.FINALIZING, F.NOTHING),
    (S.TIMEOUT, F.CREATED, S.FINALIZING, F.CREATED),
    (S.TIMEOUT, F.RUNNING, S.FINALIZING, F.EXITED),
    (S.TIMEOUT, F.EXITED, S.FINALIZING, F.EXITED),
    (S.FINALIZING, F.NOTHING, S.FINALIZING, F.NOTHING),
    (S.FINALIZING, F.CREATED, S.FINALIZING, F.CREATED),
    (S.FINALIZING, F.RUNNING, S.FINALIZING, F.EXITED),
    (S.FINALIZING, F.EXITED, S.FINALIZING, F.EXITED),
]
# A container that is stopped takes its time, and another look finds that it ended.
TAKES_TIME = {(S.INTERRUPTING, F.RUNNING), (S.TIMEOUT, F.RUNNING), (S.FINALIZING, F.RUNNING)}
CAUSES = {
    (S.RUNNING, F.NOTHING): EndCause.CONTAINER_LOST,
    (S.RUNNING, F.CREATED): EndCause.CONTAINER_LOST,
    (S.RUNNING, F.EXITED): EndCause.EXIT_CODE,
    (S.PENDING, F.EXITED): EndCause.EXIT_CODE,
    (S.INITIALIZING, F.EXITED): EndCause.EXIT_CODE,
    (S.INTERRUPTING, F.EXITED): EndCause.STOPPED,
    (S.TIMEOUT, F.EXITED): EndCause.TIMED_OUT,
}


@pytest.mark.parametrize(("state", "found", "then", "left"), CELLS, ids=lambda value: value.name)
def test_a_cell(bench: Bench, state: State, found: Found, then: State, left: Found) -> None:
    bench.job_in(state)
    bench.container(found)
    stands = bench.look()
    if (state, found) in TAKES_TIME:
        eventually(lambda: bench.look() == (then, left), what=f"{then} with a container {left}")
    else:
        assert stands == (then, left)
    assert bench.look() == (then, left), "a second look finds nothing more to do"
    if cause := CAUSES.get((state, found)):
        assert bench.machine.store.get(bench.job_id).end_cause is cause


@pytest.mark.parametrize("found", [F.NOTHING, F.CREATED])
def test_stopped_before_anything_ran(bench: Bench, found: Found) -> None:
    bench.job_in(S.INTERRUPTING, started=False)
    bench.container(found)
    assert bench.look()[0] is S.INTERRUPTED
    assert bench.look() == (S.INTERRUPTED, F.NOTHING), "its container is nobody's now"


@pytest.mark.parametrize("found", [F.NOTHING, F.CREATED])
def test_evicted_before_anything_ran(bench: Bench, found: Found) -> None:
    bench.job_in(S.PENDING)
    bench.container(found)
    bench.machine.store.cordon("h1", drain_ms=0)
    assert bench.look()[0] is S.QUEUED
    job = bench.machine.store.get(bench.job_id)
    assert (job.attempt, job.evictions, job.earlier_attempts[0].cause) == (2, 1, EndCause.EVICTED)


@pytest.mark.parametrize(
    ("found", "cause"),
    [(F.RUNNING, EndCause.EVICTED), (F.EXITED, EndCause.EXIT_CODE), (F.NOTHING, EndCause.CONTAINER_LOST)],
)
def test_evicted_while_it_runs(bench: Bench, found: Found, cause: EndCause) -> None:
    """What had ended by itself before it could be stopped keeps its own end."""
    bench.job_in(S.RUNNING)
    bench.container(found)
    bench.machine.store.cordon("h1", by="ann", drain_ms=0)
    eventually(lambda: bench.look()[0] is S.FINALIZING, what="its end")
    job = bench.machine.store.get(bench.job_id)
    assert job.end_cause is cause
    assert ("host h1 is drained by ann" in job.message) == (cause is EndCause.EVICTED)


def test_a_full_disk_does_not_make_an_eviction_a_fault(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    # Given a host that is drained because its disk is full, so that nothing can be noted there
    def full(workspace: Workspace, cause: EndCause) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Workspace, "mark_ordered", full)
    bench.job_in(S.RUNNING)
    bench.container(F.RUNNING)
    bench.machine.store.cordon("h1", by="ann", drain_ms=0)
    # then what the agent stops is evicted, and uses up none of the retries for faults
    eventually(lambda: bench.look()[0] is S.FINALIZING, what="its end")
    job = bench.machine.store.get(bench.job_id)
    assert job.end_cause is EndCause.EVICTED
    assert "host h1 is drained by ann" in job.message


def test_one_that_ended_while_the_order_to_evict_it_was_carried_out_keeps_its_end(bench: Bench) -> None:
    bench.job_in(S.RUNNING)
    bench.container(F.EXITED)
    bench.machine.store.cordon("h1", drain_ms=0)
    time.sleep(0.01)  # the mark is later than the end
    Workspace(bench.machine.settings.host.data_dir, bench.job_id, bench.fence).mark_ordered(EndCause.EVICTED)
    assert bench.look()[0] is S.FINALIZING
    assert bench.machine.store.get(bench.job_id).end_cause is EndCause.EXIT_CODE


def test_a_step_at_work_is_left_alone(bench: Bench) -> None:
    bench.job_in(S.PENDING)
    lease = Lease(bench.job_id, bench.fence, S.PENDING, "w")
    assert bench.machine.store.begin_step(lease, 60_000, "h1", bench.machine.instance).job
    bench.container(F.RUNNING)
    assert bench.look() == (S.PENDING, F.RUNNING)
    assert bench.machine.store.stop(bench.job_id, "stopped").done
    eventually(lambda: bench.look() == (S.FINALIZING, F.EXITED), what="its end")


@pytest.mark.parametrize("found", [F.CREATED, F.RUNNING, F.EXITED])
def test_another_attempts_container_goes(bench: Bench, found: Found) -> None:
    bench.job_in(S.PENDING)
    name = bench.container(found, fence="1.0123456789abcdef")
    bench.look()
    assert bench.machine.engine.find(name) is None
    assert bench.machine.store.get(bench.job_id).state is S.PENDING


@pytest.mark.parametrize("found", [F.CREATED, F.RUNNING, F.EXITED])
def test_the_container_of_a_job_that_ended_goes(bench: Bench, found: Found) -> None:
    bench.job_in(S.PENDING)
    name = bench.container(found)
    assert bench.machine.store.transition(bench.job_id, bench.fence, S.FAILED).moved
    bench.look()
    assert bench.machine.engine.find(name) is None


@pytest.mark.parametrize("found", [F.RUNNING, F.EXITED])
def test_the_container_of_a_job_that_nobody_knows_goes_after_a_while(bench: Bench, found: Found) -> None:
    name = bench.container(found, fence="1.x", job_id=str(uuid.uuid4()))
    bench.reconcile.look()
    assert bench.machine.engine.find(name) is not None
    time.sleep(0.6)
    eventually(lambda: bench.reconcile.look() or bench.machine.engine.find(name) is None, what="its removal")


def test_containers_of_other_hosts_on_the_same_engine_are_never_touched(bench: Bench) -> None:
    api, name = bench.machine.engine._docker.api, f"other-{uuid.uuid4().hex}"
    theirs = {**bench.machine.engine._ours, Labels.HOST: "h2", Labels.JOB: "x", Labels.FENCE: "1.x"}
    api.start(api.create_container(BUSYBOX_IMAGE, ["sleep", "60"], name=name, labels=theirs)["Id"])
    bench.reconcile.look()
    assert bench.machine.engine.find(name) is not None
    api.remove_container(name, force=True)
