"""Flower shows the workers, the queues and each step with its job's id, and no secret anywhere."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest
import requests

from aitrain import Job, JobState
from aitrain.vault import new_key
from tests.acceptance.conftest import Fleet, eventually
from workers.scratch.servers import DockerEngine, free_port

SECRET = "hunter2-secret"
KEY = new_key()


@pytest.fixture(scope="module")
def shown(
    make_fleet: Callable[..., Fleet], engine: DockerEngine, monkeypatch_module: pytest.MonkeyPatch
) -> Iterator[tuple[str, Fleet, Job]]:
    """A site with Flower, and a job that went through it."""
    monkeypatch_module.setenv("FLOWER_UNAUTHENTICATED_API", "true")
    fleet, port = make_fleet(secret_keys=[KEY]), free_port()
    url = f"http://127.0.0.1:{port}"
    with ExitStack() as stack:
        for process in (fleet.site.flower(port), fleet.site.control(), fleet.site.host("h1", {"cpu": 1}, engine.url)):
            stack.enter_context(process)
        eventually(lambda: _answers(url), 60, "Flower")
        eventually(lambda: len(_workers(url)) == 2, 60, "both workers")
        job = fleet.end(
            fleet.submit("sh", "-c", f"sleep 1; echo {SECRET}", env={"TOKEN": SECRET}, labels={"l": SECRET})
        )
        assert job.state == JobState.DONE
        own = fleet.site.settings.data_stores["s3"]
        fleet.client.data_stores.add(
            "default", "own", own.endpoint_url, own.region, own.access_key_id, own.secret_access_key
        )
        yield url, fleet, job


@pytest.fixture(scope="module")
def monkeypatch_module() -> Iterator[pytest.MonkeyPatch]:
    with pytest.MonkeyPatch.context() as patch:
        yield patch


def _answers(url: str) -> bool:
    try:
        return requests.get(url, timeout=2).ok
    except requests.ConnectionError:
        return False


def test_every_step_is_found_by_its_jobs_id(shown: tuple[str, Fleet, Job]) -> None:
    url, _, job = shown

    def steps() -> list[tuple[str, str]]:
        tasks = requests.get(f"{url}/api/tasks", params={"search": job.id}, timeout=5).json().values()
        return sorted((task["name"], task["state"]) for task in tasks if task["args"] == f"job={job.id}")

    # Each once: `monitor` dropped the rest of its chain, and the agent sent sync_out when the container ended.
    once = ("monitor", "start_container", "sync_in", "sync_out")
    eventually(lambda: steps() == [(f"aitrain.{step}", "SUCCESS") for step in once], 20, "the steps")


def test_workers_and_queues(shown: tuple[str, Fleet, Job]) -> None:
    url, _, _ = shown

    def both() -> dict[str, dict[str, list[dict[str, str]]]] | None:
        found = _workers(url)
        return found if len(found) == 2 and all(worker.get("active_queues") for worker in found.values()) else None

    workers = eventually(both, 30, "both workers with their queues")
    queues = {name.split("@")[0]: [q["name"] for q in w["active_queues"]] for name, w in workers.items()}
    assert queues == {"h1": ["cpu.cpu.h1"], "control": ["control"]}


def _workers(url: str) -> dict[str, dict[str, list[dict[str, str]]]]:
    found: dict[str, dict[str, list[dict[str, str]]]] = requests.get(
        f"{url}/api/workers", params={"refresh": "true"}, timeout=30
    ).json()
    return found


def test_no_secret_on_any_page(shown: tuple[str, Fleet, Job]) -> None:
    url, fleet, job = shown
    tasks = requests.get(f"{url}/api/tasks", timeout=5).json()
    pages = ["/", "/workers", "/tasks", "/broker", "/metrics", "/api/tasks", "/api/workers?refresh=true"]
    pages += [f"/task/{task_id}" for task_id in tasks]
    pages += [f"/worker/{name}" for name in _workers(url)]
    secret_key = fleet.site.settings.data_stores["s3"].secret_access_key.get_secret_value()
    assert "aitrain.check_data_store" in {task["name"] for task in tasks.values()}
    for page in pages:
        text = requests.get(url + page, timeout=30).text
        assert SECRET not in text, page
        assert secret_key not in text, page
        assert KEY not in text, page
        assert fleet.client.get(job.id).fence.split(".")[1] not in text, page


def test_task_names_are_few(shown: tuple[str, Fleet, Job]) -> None:
    """A job's id in a task's name would make a new series of metrics for each job."""
    url, _, job = shown
    assert job.id not in requests.get(f"{url}/metrics", timeout=5).text
