"""The Python door over a real fleet: the examples as they stand in docs/, many jobs at once, and asyncio."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import threading
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from aitrain import (
    AsyncClient,
    Client,
    InvalidInput,
    JobNotFound,
    JobSpec,
    JobState,
    QuotaExceeded,
    StoreUnavailable,
    WaitTimeout,
    submit_jobs,
)
from aitrain.domain.flavor import Kind
from tests.acceptance.conftest import Fleet, eventually
from workers.scratch.images import BUSYBOX_IMAGE
from workers.scratch.servers import DockerEngine, free_port

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def fleet(make_fleet: Callable[..., Fleet], engine: DockerEngine) -> Iterator[Fleet]:
    """A host with four CPUs."""
    fleet = make_fleet()
    with ExitStack() as stack:
        stack.enter_context(fleet.site.control())
        stack.enter_context(fleet.site.host("h1", {"cpu": 4}, engine.url))
        yield fleet


def example(fleet: Fleet, name: str, *arguments: str, status: int = 0) -> list[str]:
    done = subprocess.run(
        [sys.executable, "-m", f"docs.examples.{name}", BUSYBOX_IMAGE, *arguments],
        cwd=ROOT, env=fleet.site.environment(), capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == status, done.stderr
    return done.stdout.splitlines()


def test_the_sweep(fleet: Fleet) -> None:
    said = example(fleet, "sweep")
    assert said[1].startswith("0.1: DONE")
    assert said[-1] == "best: 0.1"


def test_following_logs(fleet: Fleet) -> None:
    said = example(fleet, "follow_logs", "sh", "-c", "echo one; echo two; exit 3", status=3)
    assert said == ["one", "two", "FAILED: JOB_FAILED_WITH_MESSAGE"]


def test_watching_with_asyncio(fleet: Fleet) -> None:
    said = example(fleet, "async_watch")
    assert [line for line in said if line.startswith("hello")] == ["hello 0", "hello 1", "hello 2"]
    assert all(f"{number}: DONE" in said for number in range(3))
    assert all(line.endswith("DONE") for line in said[-3:])


def specs(count: int, **fields: object) -> list[JobSpec]:
    return [JobSpec.of(image=BUSYBOX_IMAGE, command=["true"], resources={"cpu": 1}, **fields) for _ in range(count)]


def test_many_jobs_each_have_their_answer_and_start(fleet: Fleet) -> None:
    fleet.client.set_quota("many", Kind.CPU, 3)
    asked = [*specs(2, project="many"), JobSpec.of(image="x", resources={"gpu": 99}), *specs(2, project="many")]
    ids = [str(uuid.uuid4()) for _ in asked]
    told = submit_jobs(asked, client=fleet.client, job_ids=ids)
    assert [one.job_id for one in told] == ids
    assert [type(one.error) for one in told] == [type(None), type(None), InvalidInput, type(None), QuotaExceeded]
    with pytest.raises(QuotaExceeded):
        told[4].result()
    for one in told[:2]:
        assert fleet.end(one.result()).state is JobState.DONE
    again = submit_jobs(asked[:2], client=fleet.client, job_ids=ids[:2])
    assert [one.result().state for one in again] == [JobState.DONE] * 2
    bad = submit_jobs(specs(1), client=fleet.client, job_ids=["x"])
    assert isinstance(bad[0].error, InvalidInput)
    with pytest.raises(InvalidInput, match="job_ids"):
        submit_jobs(specs(2), client=fleet.client, job_ids=ids[:1])


def test_without_a_store_each_submission_says_that_it_is_in_doubt(fleet: Fleet) -> None:
    settings = fleet.site.settings.model_copy(update={"redis_url": f"redis://127.0.0.1:{free_port()}/0"})
    with Client(settings) as client:
        told = client.submit_many(specs(2))
    assert all(isinstance(one.error, StoreUnavailable) and one.job_id in str(one.error) for one in told)


def test_the_asynchronous_client_holds_no_thread_while_it_waits(fleet: Fleet) -> None:
    async def go() -> None:
        async with AsyncClient(fleet.site.settings) as client:
            jobs = [await client.submit(JobSpec.of(image=BUSYBOX_IMAGE, command=["sleep", "60"], resources={"cpu": 1}))]
            waiting = [asyncio.create_task(client.wait(jobs[0].id)) for _ in range(30)]
            with pytest.raises(WaitTimeout):
                await client.wait(jobs[0].id, timeout=0)
            assert (await client.stop(jobs[0].id)).done
            assert {job.state for job in await asyncio.gather(*waiting)} == {JobState.INTERRUPTED}
            assert sum(thread.name.startswith("aitrain") for thread in threading.enumerate()) <= 8
            assert await client.find(jobs[0].id[:13]) == jobs[0].id
            with pytest.raises(JobNotFound):
                await client.get(str(uuid.uuid4()))
            assert await client.data_stores.list("default") == []

    asyncio.run(go())
    eventually(lambda: not any(t.name.startswith("aitrain_") for t in threading.enumerate()), 10, "its threads' end")


def test_commands_that_run_on_hold_nobody_up_and_one_that_is_given_up_is_killed(fleet: Fleet) -> None:
    job = fleet.until(fleet.submit("sleep", "60"), JobState.RUNNING)

    async def go() -> None:
        async with AsyncClient(fleet.site.settings) as client:
            running = [asyncio.create_task(client.exec(job.id, ["sleep", "77"])) for _ in range(9)]
            said = asyncio.Event()
            loop = asyncio.get_running_loop()

            def heard(_: bytes) -> None:
                loop.call_soon_threadsafe(said.set)

            last = asyncio.create_task(
                client.exec(job.id, ["sh", "-c", "echo begun; sleep 88"], on_stdout=heard)
            )  # fmt: skip
            await asyncio.wait_for(said.wait(), 30)
            await asyncio.wait_for(client.get(job.id), 5)
            for task in (*running, last):
                task.cancel()
            ends = await asyncio.gather(*running, last, return_exceptions=True)
            assert {type(end) for end in ends} == {asyncio.CancelledError}
            await client.close()

    asyncio.run(go())
    eventually(lambda: not any("alone" in t.name for t in threading.enumerate()), 10, "its threads' end")
    seen = fleet.docker.containers.get(fleet.containers(job)[0]["Id"])
    eventually(
        lambda: not [p for p in seen.top()["Processes"] if {"77", "88"} & set(p[-1].split())], 10, "its commands' end"
    )
    fleet.client.stop(job.id)
