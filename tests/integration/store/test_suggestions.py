"""What a shell completes, over a real Redis; and that it stays silent where there is none."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Iterator

import pytest

from aitrain.cli import suggestions
from aitrain.store import Store
from tests.integration.store.test_hosts import joined, queued
from workers.scratch.servers import RedisServer

MAIN = "import sys; sys.argv = ['aitrain']; from aitrain.cli import main; main()"


@pytest.fixture(autouse=True)
def site(redis: RedisServer, namespace: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AITRAIN_REDIS_URL", redis.url)
    monkeypatch.setenv("AITRAIN_NAMESPACE", namespace)


def completed(*words: str) -> list[str]:
    """What bash is told of the last word; it sees nothing else."""
    typed = {"_AITRAIN_COMPLETE": "complete_bash", "COMP_WORDS": " ".join(words), "COMP_CWORD": str(len(words) - 1)}
    done = subprocess.run(
        [sys.executable, "-c", MAIN], capture_output=True, text=True, check=False, env=os.environ | typed
    )
    assert done.stderr == ""
    return done.stdout.split()


def words(found: list[suggestions.Suggestion]) -> set[str]:
    return {word for word, _ in found}


def test_jobs_by_name_and_by_id(store: Store) -> None:
    one, twin, other = queued(store, name="one"), queued(store, name="twin"), queued(store, name="twin")
    assert words(suggestions.jobs("")) == {"one", twin.id, other.id}, "a name that two have means neither"
    assert words(suggestions.jobs("on")) == {"one"}
    assert one.id in words(suggestions.jobs(one.id[:8]))
    assert suggestions.jobs("nothing-begins-so") == []
    assert completed("aitrain", "job", "stop", "on") == ["one"]


def test_hosts_and_flavors(store: Store) -> None:
    joined(store)
    assert suggestions.hosts("h") == [("h1", "READY")]
    assert suggestions.hosts("x") == []
    assert "v100s" in words(suggestions.flavors("v"))
    assert completed("aitrain", "job", "run", "image", "--flavor", "v1") == ["v100s"]


def test_nothing_is_said_of_what_goes_wrong(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AITRAIN_REDIS_URL", "redis://127.0.0.1:1/0")
    assert completed("aitrain", "job", "get", "") == []
    monkeypatch.setenv("AITRAIN_HOST__NAME", "No Good")
    assert suggestions.flavors("") == []


@pytest.fixture
def deaf(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A server that takes connections and never answers; and the patience of this test."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        monkeypatch.setenv("AITRAIN_REDIS_URL", f"redis://127.0.0.1:{server.getsockname()[1]}/0")
        monkeypatch.setattr(suggestions, "PATIENCE_SECONDS", 0.3)
        yield


@pytest.mark.usefixtures("deaf")
def test_a_store_that_does_not_answer_is_not_waited_for() -> None:
    assert suggestions.hosts("") == []
    assert suggestions.jobs("") == []
