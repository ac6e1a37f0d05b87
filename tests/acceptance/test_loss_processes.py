"""Worker, agent, beat and control are lost, alone and together."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

from aitrain import JobState
from aitrain.domain.states import EndCause
from tests.acceptance.conftest import Fleet
from workers.scratch.servers import DockerEngine


def test_a_timeout_needs_no_beat_and_no_control_worker(make_fleet: Callable[..., Fleet], engine: DockerEngine) -> None:
    fleet = make_fleet()
    with fleet.site.host("h1", {"cpu": 1}, engine.url):
        ended = fleet.end(fleet.submit("sleep", "60", timeout=2))
    assert ended.end_cause is EndCause.TIMED_OUT
    reached = next(entry.at_ms for entry in ended.history if entry.state == "TIMEOUT")
    running = next(entry.at_ms for entry in ended.history if entry.state == "RUNNING")
    assert 2000 <= reached - running < 4000


def test_a_timeout_is_marked_while_the_agent_is_away_and_carried_out_when_it_is_back(
    make_fleet: Callable[..., Fleet], engine: DockerEngine
) -> None:
    fleet = make_fleet()
    agent = fleet.site.host("h1", {"cpu": 1}, engine.url, role="agent")
    with ExitStack() as stack:
        for process in (
            fleet.site.control(), fleet.site.beat(), fleet.site.host("h1", {"cpu": 1}, engine.url, role="worker"), agent
        ):  # fmt: skip
            stack.enter_context(process)
        job = fleet.submit("sh", "-c", "echo up; sleep 60", timeout=3)
        fleet.until(job, "RUNNING")
        agent.kill()
        fleet.until(job, "TIMEOUT")
        agent.start()
        ended = fleet.end(job)
    assert (ended.state, ended.end_cause) == (JobState.INTERRUPTED, EndCause.TIMED_OUT)
    assert fleet.starts(job) == 1


def test_one_job_and_many_kills_of_worker_and_agent_together(
    make_fleet: Callable[..., Fleet], engine: DockerEngine, tmp_path: Path
) -> None:
    """One container, one end, one right bill."""
    fleet = make_fleet()
    worker, agent = (fleet.site.host("h1", {"cpu": 1}, engine.url, role=role) for role in ("worker", "agent"))
    with worker, agent:
        job = fleet.submit("sleep", "12")
        for number in range(8):
            time.sleep(0.1 + 0.37 * (number % 4))
            worker.kill()
            agent.kill()
            worker.start()
            agent.start()
        ended = fleet.end(job, seconds=90)
        assert (ended.state, ended.attempt) == (JobState.DONE, 1)
        assert fleet.starts(job) == 1
        assert fleet.minutes(job) == [0]
        fleet.came_to_rest(ended, "h1")
