"""Logs from the container to the object store, with the agent killed meanwhile."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator

import pytest

from aitrain.domain.logs import NOTICE
from aitrain.store import LogLine
from tests.acceptance.conftest import Fleet, eventually
from workers.scratch.servers import DockerEngine

SEGMENT, RING, MOST = 8192, 16_384, 400_000
# Of each stream.
LINES, BURSTS, KILLS = 30_000, 6, 3


@pytest.fixture(scope="module")
def container() -> str:
    return f"logs-{uuid.uuid4().hex[:12]}"


@pytest.fixture(scope="module")
def fleet(make_fleet: Callable[..., Fleet], container: str) -> Fleet:
    fleet = make_fleet(
        logs={
            "container": f"{container}@s3/kept",
            "segment_bytes": SEGMENT,
            "ring_bytes": RING,
            "max_bytes": 40_000_000,
        }
    )
    fleet.s3.create_bucket(Bucket=container)
    return fleet


@pytest.fixture(autouse=True, scope="module")
def site(fleet: Fleet, engine: DockerEngine) -> Iterator[None]:
    with fleet.site.control(), fleet.site.beat(), fleet.site.host("h1", {"cpu": 2}, engine.url, "worker"):
        yield


def parts(fleet: Fleet, container: str, prefix: str) -> list[str]:
    """The parts of a log in the object store."""
    listed = fleet.s3.list_objects_v2(Bucket=container, Prefix=prefix)
    return [item["Key"] for item in listed.get("Contents", [])]


def test_every_line_is_kept_though_the_agent_is_killed(fleet: Fleet, engine: DockerEngine, container: str) -> None:
    agent = fleet.site.host("h1", {"cpu": 2}, engine.url, "agent")
    # Both streams, in turns, as fast as it can, in bursts: each agent has something to take up.
    script = (
        f"i=0; while [ $i -lt {LINES} ]; do echo out $i; echo err $i >&2; i=$((i+1)); "
        f"[ $((i % {LINES // BURSTS})) -gt 0 ] || sleep 2; done"
    )
    had, job = 0, None
    for _ in range(KILLS):
        with agent.another() as killed:
            job = job or fleet.submit("sh", "-c", script)
            eventually(lambda job=job, had=had: fleet.client._store.log_state(job.id, 1).next > had, 30, "a new line")
            killed.kill()
        had = fleet.client._store.log_state(job.id, 1).next
    assert job is not None
    with agent.another():
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


def test_a_job_that_dies_at_once_leaves_its_last_words(fleet: Fleet, engine: DockerEngine) -> None:
    with fleet.site.host("h1", {"cpu": 2}, engine.url, "agent"):
        job = fleet.submit("sh", "-c", "echo first; echo last >&2; exit 3")
        assert fleet.end(job).exit_code == 3
        # The engine reads the two streams apart: which of two lines of one moment comes first is chance.
        assert {(line.stream, line.text) for line in fleet.client.logs(job.id)} == {
            ("stdout", "first"), ("stderr", "last"),
        }  # fmt: skip


def test_a_log_past_its_limit_is_cut_loudly(
    make_fleet: Callable[..., Fleet], engine: DockerEngine, container: str, fleet: Fleet
) -> None:
    small = make_fleet(
        logs={"container": f"{container}@s3/cut", "segment_bytes": SEGMENT, "ring_bytes": RING, "max_bytes": MOST}
    )
    with small.site.control(), small.site.host("h9", {"cpu": 1}, engine.url):
        job = small.submit("sh", "-c", "i=0; while [ $i -lt 40000 ]; do echo line $i; i=$((i+1)); done")
        assert small.end(job).state == "DONE"

        def cut() -> list[LogLine]:
            lines = list(small.client.logs(job.id))
            return lines if any("limit" in line.text for line in lines if line.stream == NOTICE) else []

        lines = eventually(cut, 30, "a notice of the cut")
        kept = [line.text for line in lines if line.stream == "stdout"]
        assert kept[0] == "line 0"
        assert kept[-1] == "line 39999"
        assert len(kept) < 40_000
