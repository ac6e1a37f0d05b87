"""The life of jobs on a site with one host: every way to end, and what is left then."""

from __future__ import annotations

import base64
import json
import threading
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from redis import Redis

from aitrain import InvalidInput, JobState, QuotaExceeded
from aitrain.domain.flavor import Kind
from aitrain.domain.states import EndCause, InfoCode
from tests.acceptance.conftest import Fleet, eventually
from workers.scratch.registry import Registry
from workers.scratch.servers import DockerEngine, RedisServer

UNITS = {"cpu": 4, "v100s": ["GPU-0", "GPU-1"]}


@pytest.fixture(scope="module")
def fleet(make_fleet: Callable[..., Fleet], engine: DockerEngine) -> Iterator[Fleet]:
    """A host with four CPUs and two GPUs whose worker has two pool slots only, a control worker and beat."""
    flavors = {
        "cpu": {"kind": "cpu", "cpu": 1, "memory_gib": "0.125", "hourly_price": "0.03", "default": True},
        "v100s": {"kind": "gpu", "cpu": 1, "memory_gib": 1, "hourly_price": "1.93", "default": True},
    }
    fleet = make_fleet(flavors=flavors)
    with ExitStack() as stack:
        for process in (
            fleet.site.control(),
            fleet.site.beat(),
            fleet.site.host("h1", UNITS, engine.url, worker_concurrency=2, max_jobs=12),
        ):
            stack.enter_context(process)
        yield fleet


def states(job: Any) -> list[str]:
    return [entry.state for entry in job.history]


def test_a_job_with_data_in_and_results_out(fleet: Fleet, bucket: str) -> None:
    fleet.s3.create_bucket(Bucket=bucket)
    fleet.s3.put_object(Bucket=bucket, Key="in/x", Body=b"41")
    job = fleet.submit(
        "sh", "-c", "echo reading; echo $(( $(cat /data/x) + 1 )) > /out/answer; echo done >&2",
        volumes=[f"{bucket}@s3/in:/data", f"{bucket}@s3/out:/out:rw"], env={"SECRET": "hunter2"},
    )  # fmt: skip
    ended = fleet.end(job)
    assert states(ended) == ["QUEUED", "INITIALIZING", "PENDING", "RUNNING", "FINALIZING", "DONE"]
    assert (ended.code, ended.end_cause, ended.exit_code) == (InfoCode.JOB_DONE, EndCause.COMPLETED, 0)
    assert fleet.objects(bucket) == {"in/x": b"41", "out/answer": b"42\n"}
    assert sorted(fleet.log(job)) == ["done", "reading"]
    assert fleet.minutes(job) == [0]
    assert fleet.starts(job) == 1
    assert ended.egress == "none", "as its host has it, and as its container was found"
    assert ended.progress["/data"].completed == ended.progress["/out"].completed == 1
    fleet.came_to_rest(job, "h1")


def test_gpus_reach_the_job_by_their_ids(fleet: Fleet) -> None:
    job = fleet.submit("sh", "-c", "echo $NVIDIA_VISIBLE_DEVICES", gpu=2)
    assert fleet.end(job).state == JobState.DONE
    assert fleet.log(job) == ["GPU-0,GPU-1"]


def test_a_failure_of_its_own_pushes_what_it_wrote(fleet: Fleet, bucket: str) -> None:
    job = fleet.submit("sh", "-c", "echo partial > /out/r; exit 3", volumes=[f"{bucket}@s3:/out:rw"])
    ended = fleet.end(job)
    assert (ended.state, ended.exit_code, ended.end_cause) == (JobState.FAILED, 3, EndCause.EXIT_CODE)
    assert "exited with 3" in ended.message
    assert fleet.objects(bucket) == {"r": b"partial\n"}
    fleet.came_to_rest(job, "h1")


def test_out_of_memory_is_told(fleet: Fleet) -> None:
    ended = fleet.end(fleet.submit("tail", "/dev/zero"))
    assert (ended.state, ended.end_cause) == (JobState.FAILED, EndCause.OUT_OF_MEMORY)
    assert "ask for more units" in ended.message


def test_stop_ends_a_running_job_and_pushes(fleet: Fleet, bucket: str) -> None:
    job = fleet.submit(
        "sh", "-c", "trap 'echo saved > /out/checkpoint; exit 0' TERM; echo up; while true; do sleep 0.1; done",
        volumes=[f"{bucket}@s3:/out:rw"],
    )  # fmt: skip
    fleet.until(job, "RUNNING")
    eventually(lambda: fleet.log(job) == ["up"], what="the live log")
    assert fleet.client.stop(job.id, by="ann").done
    assert not fleet.client.stop(job.id).done, "a second stop finds nothing to do"
    ended = fleet.end(job)
    assert (ended.state, ended.end_cause) == (JobState.INTERRUPTED, EndCause.STOPPED)
    assert states(ended)[-3:] == ["INTERRUPTING", "FINALIZING", "INTERRUPTED"]
    assert ended.message == "stopped by ann"
    assert fleet.objects(bucket) == {"checkpoint": b"saved\n"}
    fleet.came_to_rest(job, "h1")


def test_a_job_that_ignores_sigterm_is_killed_after_the_grace_period(fleet: Fleet) -> None:
    job = fleet.submit("sh", "-c", "trap '' TERM; echo up; while true; do sleep 0.1; done")
    fleet.until(job, "RUNNING")
    eventually(lambda: fleet.log(job) == ["up"], what="the live log")
    fleet.client.stop(job.id)
    ended = fleet.end(job)
    assert (ended.state, ended.exit_code) == (JobState.INTERRUPTED, 137)


def test_a_timeout_ends_interrupted(fleet: Fleet, bucket: str) -> None:
    job = fleet.submit("sh", "-c", "echo x > /out/r; sleep 60", timeout=1, volumes=[f"{bucket}@s3:/out:rw"])
    ended = fleet.end(job)
    assert (ended.state, ended.code, ended.end_cause) == (
        JobState.INTERRUPTED, InfoCode.JOB_TIMEOUT, EndCause.TIMED_OUT,
    )  # fmt: skip
    assert states(ended)[-3:] == ["TIMEOUT", "FINALIZING", "INTERRUPTED"]
    assert fleet.objects(bucket) == {"r": b"x\n"}


def test_a_timeout_with_auto_restart_runs_again_with_its_data(fleet: Fleet, bucket: str) -> None:
    job = fleet.submit(
        "sh", "-c", "echo $AITRAIN_ATTEMPT >> /out/attempts; [ $AITRAIN_ATTEMPT = 2 ] || sleep 60",
        timeout=2, auto_restart=True, volumes=[f"{bucket}@s3:/out:rw"],
    )  # fmt: skip
    ended = fleet.end(job)
    assert (ended.state, ended.attempt) == (JobState.DONE, 2)
    assert ended.earlier_attempts[0].cause is EndCause.TIMED_OUT
    assert fleet.objects(bucket) == {"attempts": b"1\n2\n"}
    assert fleet.minutes(job) == [0, 0], "each attempt commenced a minute"
    fleet.came_to_rest(job, "h1")


def test_more_jobs_run_at_once_than_the_pool_has_slots(fleet: Fleet) -> None:
    """Two slots, four jobs: no slot is held while a container runs."""
    jobs = [fleet.submit("sleep", "60") for _ in range(4)]
    try:
        for job in jobs:
            fleet.until(job, "RUNNING")
        assert [fleet.client.get(job.id).state for job in jobs] == ["RUNNING"] * 4
    finally:
        for job in jobs:
            fleet.client.stop(job.id)
    for job in jobs:
        assert fleet.end(job).state == JobState.INTERRUPTED


def test_a_job_waits_for_units_and_starts_when_they_are_freed(fleet: Fleet) -> None:
    first = fleet.submit("sleep", "2", cpu=4)
    fleet.until(first, "RUNNING")
    second = fleet.submit("true", cpu=4)
    assert second.state == JobState.QUEUED
    assert fleet.end(second).state == JobState.DONE
    done, began = fleet.client.get(first.id), fleet.client.get(second.id)
    ended_ms = next(entry.at_ms for entry in done.history if entry.state == "FINALIZING")
    placed_ms = next(entry.at_ms for entry in began.history if entry.state == "INITIALIZING")
    assert 0 <= placed_ms - ended_ms < 1000, "placed by whoever freed the units, not by a sweep"


def test_a_waiting_job_is_stopped_at_once(fleet: Fleet) -> None:
    job = fleet.submit("true", gpu=4)
    assert fleet.client.stop(job.id).state == JobState.INTERRUPTED
    assert fleet.minutes(job) == []


def test_an_image_that_does_not_exist(fleet: Fleet, registry: Registry) -> None:
    ended = fleet.end(fleet.submit("true", image=f"{registry.address}/no/such:1"))
    assert (ended.state, ended.code) == (JobState.FAILED, InfoCode.JOB_IMAGE_PULL)
    assert "check its name and tag" in ended.message
    assert ended.billed_minutes == 0
    fleet.came_to_rest(ended, "h1")


def test_a_command_that_does_not_exist(fleet: Fleet) -> None:
    ended = fleet.end(fleet.submit("no-such-program"))
    assert (ended.state, ended.exit_code) == (JobState.FAILED, 127)
    assert "not in the image" in ended.message
    fleet.came_to_rest(ended, "h1")


def test_a_container_that_does_not_exist(fleet: Fleet, bucket: str) -> None:
    ended = fleet.end(fleet.submit("true", volumes=[f"{bucket}@s3:/in"]))
    assert (ended.state, ended.code) == (JobState.FAILED, InfoCode.DATASYNC_INVALID_CONTAINER)
    fleet.came_to_rest(ended, "h1")


def test_bad_input_leaves_nothing_behind(fleet: Fleet) -> None:
    before = len(list(fleet.client.iter_jobs()))
    for wrong in (
        {"gpu": 0},
        {"gpu": 9},
        {"flavor": "tpu"},
        {"image": ""},
        {"volumes": ["x"]},
        {"volumes": ["a@no:/a"]},
    ):
        with pytest.raises(InvalidInput):
            fleet.submit("true", **wrong)
    fleet.client.set_quota("small", Kind.CPU, 1)
    with pytest.raises(QuotaExceeded, match="may use 1 cpu units at once: 0 are in use and 2 were asked for"):
        fleet.submit("true", cpu=2, project="small")
    assert len(list(fleet.client.iter_jobs())) == before


def test_a_host_that_joins_starts_what_waited(make_fleet: Callable[..., Fleet], engine: DockerEngine) -> None:
    fleet = make_fleet()
    job = fleet.submit("true")
    assert job.state == JobState.QUEUED
    with fleet.site.host("late", {"cpu": 1}, engine.url):
        assert fleet.end(job).state == JobState.DONE


def test_every_message_twice_changes_nothing(fleet: Fleet, redis: RedisServer, bucket: str) -> None:
    """A thread doubles every message that it can catch in the host's queues."""
    broker = Redis.from_url(redis.url)
    namespace = fleet.site.settings.namespace
    queue = f"{namespace}:cpu.cpu.h1"
    doubled, stop = [0], threading.Event()

    def double() -> None:
        while not stop.is_set():
            message = broker.brpop([queue], timeout=0.2)
            if message:
                broker.lpush(queue, message[1], message[1])
                doubled[0] += 1
                stop.wait(0.05)

    thread = threading.Thread(target=double)
    thread.start()
    try:
        jobs = [fleet.submit("sh", "-c", "echo x >> /out/r", volumes=[f"{bucket}{n}@s3:/out:rw"]) for n in range(3)]
        ended = [fleet.end(job) for job in jobs]
    finally:
        stop.set()
        thread.join()
    assert doubled[0] > 0
    for number, job in enumerate(ended):
        assert job.state == JobState.DONE
        assert states(job) == ["QUEUED", "INITIALIZING", "PENDING", "RUNNING", "FINALIZING", "DONE"]
        assert fleet.starts(job) == 1
        assert fleet.minutes(job) == [0]
        assert fleet.objects(f"{bucket}{number}") == {"r": b"x\n"}


def test_messages_carry_ids_and_nothing_else(
    make_fleet: Callable[..., Fleet], engine: DockerEngine, redis: RedisServer
) -> None:
    """No host's worker runs: the message stays in its queue, and only the agent joined."""
    fleet = make_fleet()
    with fleet.site.host("h1", {"cpu": 1}, engine.url, role="agent"):
        broker = Redis.from_url(redis.url, decode_responses=True)
        queue = f"{fleet.site.settings.namespace}:cpu.cpu.h1"
        store = fleet.client._store
        eventually(lambda: store._redis.zscore(store._key("hosts"), "h1"), what="the host")
        job = fleet.submit("echo", "hunter2", env={"TOKEN": "hunter2"}, labels={"secret": "hunter2"})
        text = eventually(lambda: "".join(broker.lrange(queue, 0, -1)), what="a message")
        message = json.loads(broker.lrange(queue, 0, -1)[-1])
        args, kwargs, embed = json.loads(base64.b64decode(message["body"]))
        assert args == [job.id, fleet.client.get(job.id).fence]
        assert kwargs == {}
        assert [link["options"]["queue"] for link in embed["chain"]] == ["cpu.cpu.h1"] * 3
        assert message["headers"]["argsrepr"] == f"job={job.id}"
        assert "hunter2" not in text
        assert "hunter2" not in json.dumps([args, embed])


def test_a_second_machine_of_a_hosts_name_touches_nothing(
    make_fleet: Callable[..., Fleet], engine: DockerEngine, tmp_path: Path
) -> None:
    fleet = make_fleet()
    with fleet.site.host("h1", {"cpu": 1}, engine.url):
        job = fleet.submit("sleep", "6")
        fleet.until(job, "RUNNING")
        # Its data directory is another, as on another machine; its engine has none of the job's containers.
        second = fleet.site.host(
            "h1", {"cpu": 1}, f"unix://{tmp_path}/no-engine.sock", data_dir=str(tmp_path / "other")
        )
        second.log = fleet.site.directory / "second.log"
        with second:
            eventually(lambda: "another machine" in second.log.read_text(), what="its complaint")
            ended = fleet.end(job)
    assert (ended.state, ended.end_cause) == (JobState.DONE, EndCause.COMPLETED)
    assert fleet.starts(job) == 1


def test_a_job_id_of_ones_own_makes_submitting_safe_to_repeat(fleet: Fleet) -> None:
    job_id = str(uuid.uuid4())
    assert fleet.submit("true", job_id=job_id).id == fleet.submit("true", job_id=job_id).id == job_id
    assert fleet.starts(fleet.end(fleet.client.get(job_id))) == 1
    with pytest.raises(InvalidInput, match="is not a UUID"):
        fleet.submit("true", job_id="../../x")
