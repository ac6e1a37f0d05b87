"""A job whose code comes from a git repository, through the real processes."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from aitrain import JobState
from aitrain.domain.states import InfoCode
from tests.acceptance.conftest import Fleet
from tests.git_server import GitServer
from workers.scratch.servers import DockerEngine
from workers.scratch.site import CLI


@pytest.fixture(scope="module")
def server() -> Iterator[GitServer]:
    # The job's user has to cross it, which pytest's own directories forbid.
    directory = Path(tempfile.mkdtemp(prefix="aitrain-git-"))
    directory.chmod(0o755)
    try:
        with GitServer(directory / "repositories") as server:
            yield server
    finally:
        shutil.rmtree(directory)


@pytest.fixture(scope="module")
def fleet(make_fleet: Callable[..., Fleet], engine: DockerEngine, server: GitServer) -> Iterator[Fleet]:
    """A host whose data directory the job's user can cross, and which trusts the server."""
    fleet = make_fleet()
    data_dir = str(server.directory.parent / "host")
    with fleet.site.host("h1", {"cpu": 2}, engine.url, data_dir=data_dir, ca_file=str(server.ca_file)):
        yield fleet


def test_a_command_of_a_repository(fleet: Fleet, server: GitServer) -> None:
    commit = server.create("trainer", {"train.sh": "echo trained with $1; touch /code/x 2>/dev/null || echo kept"})
    server.git("trainer", "tag", "v1", commit)
    server.commit("trainer", {"train.sh": "echo a later one"})
    job = fleet.submit("sh", "/code/train.sh", "care", volumes=[f"{server.url('trainer')}@v1:/code"])
    ended = fleet.end(job)
    assert ended.state == JobState.DONE, ended.message
    assert fleet.log(job) == ["trained with care", "kept"]
    shown = subprocess.run(
        [CLI, "job", "get", job.id, "-o", "json"],
        env={**os.environ, **fleet.site.environment()}, check=True,
        capture_output=True,
    )  # fmt: skip
    assert json.loads(shown.stdout)["progress"]["/code"]["commit"] == commit


def test_a_repository_that_is_not_there(fleet: Fleet, server: GitServer) -> None:
    ended = fleet.end(fleet.submit("true", volumes=[f"{server.url('none')}:/code"]))
    assert (ended.state, ended.code) == (JobState.FAILED, InfoCode.DATASYNC_PROGRESS_FAILED_NOT_FOUND)
    assert "no public repository" in ended.message
