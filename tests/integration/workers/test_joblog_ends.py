"""How logs end on their host: spools that were removed, containers that are gone, hosts that failed, stores away."""

from __future__ import annotations

import os
import socket
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import docker
import pytest
from pydantic import SecretStr

from aitrain.broker import Broker
from aitrain.domain.admission import admit
from aitrain.domain.job import Job
from aitrain.domain.spec import JobSpec
from aitrain.log_reader import LogReader
from aitrain.settings import DataStore, load_settings
from aitrain.store import LogState
from workers.agent.acting import Actor
from workers.agent.logs import AT_ONCE, Logs, LogUploads
from workers.joblog import Shipper, Spool, end_unread, follow, keep_end, open_spool
from workers.machine import Machine
from workers.runtime import Container
from workers.scratch.images import BUSYBOX_IMAGE
from workers.scratch.servers import DockerEngine, RedisServer, S3Server
from workers.secrets import JobSecrets

# Several reads of the engine's answer.
LINES = 6000
DAY_SECONDS = 86400


@pytest.fixture
def machine(redis: RedisServer, engine: DockerEngine, s3: S3Server, namespace: str, tmp_path: Path) -> Machine:
    return over(redis, engine, s3, namespace, tmp_path)


def over(redis: RedisServer, engine: DockerEngine, s3: S3Server, namespace: str, directory: Path) -> Machine:
    store = {"endpoint_url": s3.url, "access_key_id": s3.access_key_id, "secret_access_key": s3.secret_access_key}
    return Machine(
        load_settings(
            redis_url=redis.url,
            namespace=namespace,
            data_stores={"s3": store},
            host={"name": "h1", "docker_url": engine.url, "data_dir": str(directory / "h1")},
            logs={"container": f"logs-{namespace}@s3", "segment_bytes": 8192, "ring_bytes": 16_384},
            limits={"results_retention_seconds": DAY_SECONDS},
            timing={"log_poll_seconds": 0.01},
        )
    )


@pytest.fixture(scope="module")
def container(engine: DockerEngine) -> Iterator[Container]:
    client = docker.DockerClient(base_url=engine.url)
    made = client.containers.run(BUSYBOX_IMAGE, ["seq", "0", str(LINES - 1)], detach=True, network_mode="none")
    made.wait()
    yield Container.of(client.api.inspect_container(made.id))
    made.remove(force=True)


def queued(machine: Machine, project: str = "default") -> Job:
    spec = JobSpec.of(image="x", resources={"cpu": 1}, project=project)
    return machine.store.submit(str(uuid.uuid4()), admit(spec, machine.settings.site)).job


def read_some(machine: Machine, job: Job, container: Container, lines: int) -> Spool:
    """What an agent had read and sent when it was killed."""
    spool = open_spool(machine, job.id, job.fence, job.project)
    follow(machine.engine, container, spool, None, lambda: spool.next >= lines)
    Shipper(machine.store, spool, machine.settings.logs).send()
    spool.close()
    return spool


def ring(machine: Machine, job: Job) -> list[tuple[int, str]]:
    return [(number, line.text) for number, line in machine.store.log_ring(job.id, job.attempt)]


def state(machine: Machine, job: Job) -> LogState:
    return machine.store.log_state(job.id, job.attempt)


def spool_of(machine: Machine, job: Job) -> Spool:
    return Spool(machine.settings.host.data_dir, job.id, job.fence)


def age(spool: Spool, seconds: float) -> None:
    for path in (spool.path, *(segment.path for segment in spool.segments())):
        os.utime(path, (time.time() - seconds,) * 2)


def one_round(uploads: LogUploads) -> None:
    uploads.run_once()
    for thread, _ in list(uploads._under_way.values()):
        thread.join()


def settle(uploads: LogUploads, until: Callable[[], bool]) -> None:
    for _ in range(10):
        one_round(uploads)
        if until():
            return
    raise AssertionError("it did not come to be")


def uploads_of(machine: Machine) -> LogUploads:
    stopping = threading.Event()
    stopping.set()  # a round does not wait for the next one
    return LogUploads(machine, stopping)


def test_a_log_whose_spool_was_removed_goes_on_behind_what_was_sent(machine: Machine, container: Container) -> None:
    job = queued(machine)
    # More than the ring keeps: its first lines are nowhere any more.
    sent = read_some(machine, job, container, 3000)
    sent.remove()
    keep_end(machine, job, container)
    assert (state(machine, job).total, state(machine, job).complete) == (LINES, True)
    held = ring(machine, job)
    assert held == [(number, str(number)) for number in range(held[0][0], LINES)]
    uploads = uploads_of(machine)
    spool = spool_of(machine, job)
    settle(uploads, lambda: not spool.exists)
    chunks = state(machine, job).chunks
    assert 0 < chunks[0][0] < sent.next, "what the store has and the object store has not"
    assert chunks[-1][0] + chunks[-1][1] == LINES

    # The step that ended it may be sent again.
    keep_end(machine, job, container)
    assert not spool.exists
    assert state(machine, job).chunks == chunks


def test_a_log_whose_container_is_gone_says_that_its_end_is_missing(machine: Machine, container: Container) -> None:
    job = queued(machine)
    keep_end(machine, job, None)
    assert state(machine, job) == LogState(), "of a job that never ran there is no log, and nothing is missing"
    spool = read_some(machine, job, container, 700)
    keep_end(machine, job, None)
    assert (state(machine, job).total, state(machine, job).complete) == (spool.next, False)
    assert spool.ended
    machine.store.stop(job.id, "")
    reader = LogReader(machine.store, Broker(machine.settings), job.id, None, 5)
    lines = list(reader.lines(follow=True, tail=3, since_ms=None))
    assert [line.text for line in lines] == [
        *map(str, range(spool.next - 3, spool.next)), "[aitrain: the end of the log could not be read]",
    ]  # fmt: skip


def test_an_end_that_could_not_be_kept_is_said_once(machine: Machine, container: Container) -> None:
    job = queued(machine)
    spool = read_some(machine, job, container, 700)
    end_unread(machine, job)
    assert (state(machine, job).total, state(machine, job).complete) == (spool.next, False)
    keep_end(machine, job, container)
    end_unread(machine, job)
    assert (state(machine, job).total, state(machine, job).complete) == (LINES, True), "what was kept later counts"


def test_an_agent_that_starts_sends_what_the_last_one_read(machine: Machine) -> None:
    job = queued(machine)
    spool = open_spool(machine, job.id, job.fence, job.project)
    spool.append([b"2026-01-01T00:00:00.1Z stdout F last words"])
    spool.close()
    Logs(machine, threading.Event(), Actor(machine)).run_once()
    assert ring(machine, job) == [(0, "last words")]


def test_what_a_failed_host_left_is_ended_and_what_nobody_knows_is_kept_for_its_time(
    machine: Machine, container: Container
) -> None:
    job, uploads = queued(machine), uploads_of(machine)
    spool = read_some(machine, job, container, 700)
    age(spool, DAY_SECONDS / 2)
    one_round(uploads)
    assert not spool.ended, "its job goes on"
    machine.store.stop(job.id, "")
    age(spool, DAY_SECONDS / 2)
    settle(uploads, lambda: not spool.exists)
    assert (state(machine, job).total, state(machine, job).complete) == (spool.next, False)
    assert sum(count for _, count in state(machine, job).chunks) == spool.next

    unknown = Spool(machine.settings.host.data_dir, "nobody", "1.x")
    unknown.lock(project="default", segment_bytes=1024, spool_bytes=10**6)
    unknown.append([b"2026-01-01T00:00:00.1Z stdout F " + b"x" * 2000])
    unknown.close()
    age(unknown, DAY_SECONDS - 60)
    one_round(uploads)
    assert unknown.closed(), "a store that is restored may know it again"
    age(unknown, DAY_SECONDS + 60)
    one_round(uploads)
    assert not unknown.exists


def test_what_waits_of_a_deleted_jobs_log_goes_with_it(machine: Machine, container: Container) -> None:
    job = queued(machine)
    keep_end(machine, job, container)
    machine.store.stop(job.id, "")
    machine.store.delete(job.id, force=False, message="")
    one_round(uploads_of(machine))
    assert not spool_of(machine, job).exists


def test_a_log_waits_on_the_disk_while_the_object_store_is_away(
    redis: RedisServer, engine: DockerEngine, namespace: str, tmp_path: Path, container: Container
) -> None:
    server = S3Server(tmp_path / "s3")
    with server:
        machine = over(redis, engine, server, namespace, tmp_path)
        job, uploads = queued(machine), uploads_of(machine)
    keep_end(machine, job, container)
    spool = spool_of(machine, job)
    waiting = len(spool.closed())
    one_round(uploads)
    assert len(spool.closed()) == waiting > 1
    with server:
        end = time.monotonic() + 30
        while spool.exists:  # it is tried again after a pause that grows
            one_round(uploads)
            assert time.monotonic() < end, "it is not uploaded"
        assert sum(count for _, count in state(machine, job).chunks) == LINES


def test_a_projects_store_that_does_not_answer_holds_up_nobody_elses_logs(
    machine: Machine, container: Container, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:  # it takes connections, and says nothing
        away = DataStore(
            endpoint_url=f"http://127.0.0.1:{silent.getsockname()[1]}", access_key_id="k",
            secret_access_key=SecretStr("s"),
        )  # fmt: skip
        monkeypatch.setattr(JobSecrets, "data_store", lambda of, alias: away if of._project == "stuck" else None)
        stuck = [queued(machine, "stuck") for _ in range(AT_ONCE + 1)]
        others = [queued(machine) for _ in range(2)]
        for job in (*stuck, *others):
            keep_end(machine, job, container)
        uploads, left = uploads_of(machine), {job.id: job for job in others}
        end = time.monotonic() + 10
        while left:
            uploads.run_once()
            assert time.monotonic() < end, "they wait for the one that does not answer"
            left = {of: job for of, job in left.items() if spool_of(machine, job).exists}
            time.sleep(0.01)
        assert all(sum(count for _, count in state(machine, job).chunks) == LINES for job in others)
        assert len(uploads._under_way) <= AT_ONCE + len(others)
        assert all(spool_of(machine, job).closed() for job in stuck)
