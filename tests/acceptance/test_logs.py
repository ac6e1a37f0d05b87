"""Logs from the container to the object store, with the agent killed meanwhile."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator

import pytest

from aitrain import Job
from aitrain.domain.logs import NOTICE, LogLine
from aitrain.domain.states import EndCause
from tests.acceptance.conftest import Fleet, eventually
from workers.scratch.servers import DockerEngine
from workers.scratch.site import Aitrain

SEGMENT, RING, MOST = 65_536, 131_072, 4_000_000
# Of each stream.
LINES, KILLS = 30_000, 3
BURST = LINES // (KILLS + 1)
# Little enough that a job soon wants more.
FLAVORS = {"cpu": {"kind": "cpu", "cpu": "1", "memory_gib": "0.125", "hourly_price": "0.03", "default": True}}


@pytest.fixture(scope="module")
def container() -> str:
    return f"logs-{uuid.uuid4().hex[:12]}"


@pytest.fixture(scope="module")
def fleet(make_fleet: Callable[..., Fleet], container: str) -> Fleet:
    fleet = make_fleet(
        flavors=FLAVORS,
        logs={"container": f"{container}@s3/kept", "segment_bytes": SEGMENT, "ring_bytes": RING, "max_bytes": MOST},
    )
    fleet.s3.create_bucket(Bucket=container)
    return fleet


@pytest.fixture(autouse=True, scope="module")
def site(fleet: Fleet, engine: DockerEngine) -> Iterator[None]:
    with fleet.site.control(), fleet.site.beat(), fleet.site.host("h1", {"cpu": 2}, engine.url, "worker"):
        yield


@pytest.fixture(scope="module")
def agent(fleet: Fleet, engine: DockerEngine) -> Aitrain:
    return fleet.site.host("h1", {"cpu": 2}, engine.url, "agent")


@pytest.fixture(scope="module")
def agent_at_work(agent: Aitrain) -> Iterator[None]:
    """One that is not killed."""
    with agent.another():
        yield


def parts(fleet: Fleet, container: str, prefix: str) -> list[str]:
    """The parts of a log in the object store."""
    listed = fleet.s3.list_objects_v2(Bucket=container, Prefix=prefix)
    return [item["Key"] for item in listed.get("Contents", [])]


def let_go(fleet: Fleet, job: Job, burst: int) -> None:
    """Has a job that waits for this burst's file go on."""
    (held,) = fleet.containers(job)
    fleet.docker.containers.get(held["Id"]).exec_run(["touch", f"/tmp/{burst}"])  # noqa: S108


def test_every_line_is_kept_though_the_agent_is_killed(
    fleet: Fleet, agent: Aitrain, container: str, request: pytest.FixtureRequest
) -> None:
    # Both streams, in turns, as fast as it can, in bursts: each agent is killed in the middle of one.
    script = (
        f"i=0; while [ $i -lt {LINES} ]; do [ $((i % {BURST})) -gt 0 ] || until [ -e /tmp/$((i / {BURST})) ]; do "
        "sleep 0.05; done; echo out $i; echo err $i >&2; i=$((i+1)); done"
    )
    job = fleet.submit("sh", "-c", script)
    for burst in range(KILLS):
        had = fleet.client._store.log_state(job.id, 1).next
        with agent.another() as killed:
            fleet.until(job, "RUNNING")
            let_go(fleet, job, burst)
            eventually(lambda had=had: fleet.client._store.log_state(job.id, 1).next > had, 30, "a new line")
            killed.kill()
    request.getfixturevalue("agent_at_work")
    let_go(fleet, job, KILLS)
    assert fleet.end(job).state == "DONE"
    lines: list[LogLine] = list(fleet.client.logs(job.id))
    for stream, word in (("stdout", "out"), ("stderr", "err")):
        assert [line.text for line in lines if line.stream == stream] == [f"{word} {n}" for n in range(LINES)]
    assert not [line.text for line in lines if line.stream == NOTICE]

    def whole() -> bool:
        state = fleet.client._store.log_state(job.id, 1)
        return sum(count for _, count in state.chunks) == 2 * LINES

    eventually(whole, 30, "the whole log in the object store")
    assert len(list(fleet.client.logs(job.id))) == 2 * LINES
    assert [line.text for line in fleet.client.logs(job.id, tail=2)] == [line.text for line in lines[-2:]]
    prefix = f"kept/default/{job.id}/1/"
    assert len(parts(fleet, container, prefix)) > 10

    fleet.client.delete(job.id)
    eventually(lambda: not parts(fleet, container, prefix), 30, "no log left")


@pytest.mark.usefixtures("agent_at_work")
def test_a_job_that_dies_at_once_leaves_its_last_words(fleet: Fleet) -> None:
    job = fleet.submit("sh", "-c", "echo first; echo last >&2; exit 3")
    assert fleet.end(job).exit_code == 3
    # The engine reads the two streams apart: which of two lines of one moment comes first is chance.
    assert {(line.stream, line.text) for line in fleet.client.logs(job.id)} == {
        ("stdout", "first"), ("stderr", "last"),
    }  # fmt: skip


@pytest.mark.usefixtures("agent_at_work")
def test_a_job_that_wants_too_much_memory_leaves_all_that_it_wrote(fleet: Fleet) -> None:
    job = fleet.submit("sh", "-c", f"seq {LINES}; exec dd if=/dev/zero of=/dev/null bs=300M count=1")
    ended = fleet.end(job)
    assert (ended.state, ended.end_cause, ended.exit_code) == ("FAILED", EndCause.OUT_OF_MEMORY, 137)
    assert fleet.log(job) == [str(number) for number in range(1, LINES + 1)]


@pytest.mark.usefixtures("agent_at_work")
def test_a_log_past_its_limit_is_cut_loudly(fleet: Fleet) -> None:
    lines = MOST * 5 // 4 // 1000
    job = fleet.submit("busybox", "awk", f'BEGIN {{ for (i = 1; i <= {lines}; i++) printf "%01000d\\n", i }}')
    assert fleet.end(job).state == "DONE"
    eventually(lambda: fleet.client._store.log_state(job.id, 1).cut_lines, 30, "the cut")
    told = list(fleet.client.logs(job.id))
    kept = [int(line.text) for line in told if line.stream == "stdout"]
    (notice,) = [line.text for line in told if line.stream == NOTICE]
    assert notice.startswith(f"[aitrain: {lines - len(kept)} lines are left out here: the log passed its limit")
    assert (kept[0], kept[-1]) == (1, lines)
    assert len(kept) < lines
