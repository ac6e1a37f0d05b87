"""Logs of real containers, followed into a spool that is left and taken up again."""

from __future__ import annotations

import uuid
from collections import deque
from collections.abc import Callable, Iterator
from pathlib import Path

import docker
import pytest

from aitrain.domain.logs import LogLine, parse_line
from aitrain.settings import HostSettings
from workers.joblog import spool as spooling
from workers.joblog.following import _unknown, follow
from workers.joblog.spool import Spool
from workers.runtime import Container, Engine
from workers.runtime.loglines import PIECE_BYTES
from workers.scratch.images import BUSYBOX_IMAGE
from workers.scratch.servers import DockerEngine

Write = Callable[[str], Container]


@pytest.fixture
def write(engine: DockerEngine) -> Iterator[Write]:
    """Runs a shell script in a container."""
    client, made = docker.DockerClient(base_url=engine.url), []

    def run(script: str) -> Container:
        made.append(client.containers.run(BUSYBOX_IMAGE, ["sh", "-c", script], detach=True, network_mode="none"))
        made[-1].wait()
        return Container.of(client.api.inspect_container(made[-1].id))

    yield run
    for container in made:
        container.remove(force=True)


def spool_at(directory: Path) -> Spool:
    spool = Spool(directory, "job", "1.abc")
    spool.lock(project="p", segment_bytes=64 * 1024, spool_bytes=10**9)
    return spool


def read(spool: Spool) -> list[LogLine]:
    return [parse_line(raw.decode()) for raw in spool.read(0, 10**9)[1]]


def test_nothing_is_lost_or_doubled_when_the_reader_is_ended_again_and_again(
    engine: DockerEngine, write: Write, tmp_path: Path
) -> None:
    container = write("seq 1 20000 & seq 1 20000 >&2; wait")
    host = Engine(HostSettings(docker_url=engine.url), f"t{uuid.uuid4().hex[:8]}")
    for stop in (1, 3000, 9000, 21000, 10**6):
        spool = spool_at(tmp_path)
        follow(host, container, spool, 5, lambda spool=spool, stop=stop: spool.next >= stop)  # type: ignore[misc]
        spool.close()
    lines = read(spool)
    wanted = [str(number) for number in range(1, 20001)]
    assert [line.text for line in lines if line.stream == "stdout"] == wanted
    assert [line.text for line in lines if line.stream == "stderr"] == wanted
    assert len(lines) == 40000


def test_long_lines_are_joined_and_the_last_may_lack_its_end(
    engine: DockerEngine, write: Write, tmp_path: Path
) -> None:
    container = write("head -c 40000 /dev/zero | tr '\\0' x; echo; printf end")
    host = Engine(HostSettings(docker_url=engine.url), f"t{uuid.uuid4().hex[:8]}")
    spool = spool_at(tmp_path)
    follow(host, container, spool, None, lambda: False)
    follow(host, container, spool, None, lambda: False)
    assert [line.text for line in read(spool)] == ["x" * 40000, "end"]
    spool.close()


def test_a_line_longer_than_all_that_is_kept_is_read_once(
    engine: DockerEngine, write: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # As a progress bar that never ends its line.
    monkeypatch.setattr(spooling, "KEPT_BYTES", 100_000)
    container = write("seq 1 100000 | tr '\\n' ' '; sleep 0.2; seq 100001 140000 | tr '\\n' ' '; echo")
    host = Engine(HostSettings(docker_url=engine.url), f"t{uuid.uuid4().hex[:8]}")
    for stop in (3, 12, 20, 10**6, 10**6):
        spool = spool_at(tmp_path)
        follow(host, container, spool, 5, lambda spool=spool, stop=stop: spool.next >= stop)  # type: ignore[misc]
        for segment in spool.closed():
            spool.mark_sent(segment)
        spool.close()
    assert "".join(line.text for line in read(spool)) == "".join(f"{number} " for number in range(1, 140001))


def test_a_long_line_whose_begin_the_engine_has_dropped_is_known_again() -> None:
    head = b"2026-11-22T10:00:00.000000001Z stdout F "
    pieces = [bytes([ord("a") + number]) * PIECE_BYTES for number in range(9)]
    known = deque([head + b"".join(pieces[:4]), *(head + one for one in pieces[4:])])
    # Of what it has now, the first four are joined, whichever they are.
    again = [head + b"".join(pieces[3:7]), *(head + one for one in (*pieces[7:], b"new"))]
    assert list(_unknown(again, known)) == [head + b"new"]
