"""Flower in a real browser: the workers with what they offer, each step with its job's id, and no secret anywhere.

One Flower that shows only; the last test starts it again as one that acts.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import redis as redis_py
import requests
from playwright.sync_api import Browser, Page, expect, sync_playwright

from aitrain import Job, JobState
from aitrain.vault import new_key
from tests.acceptance.conftest import Fleet, eventually
from workers.scratch.servers import DockerEngine, RedisServer, free_port
from workers.scratch.site import Aitrain

SECRET, KEY, REDIS_PASSWORD = "hunter2-secret", new_key(), "redis-password-1"
OPERATOR, VIEWER = ("olga", "operator-password-1"), ("vic", "viewer-password-1")
GPUS = {"v100s": ["GPU-0", "GPU-1", "GPU-2", "GPU-3"]}
STEPS = ["monitor", "start_container", "sync_in", "sync_out"]
HOST, SECOND_HOST = "gpu-01@4xv100s", "cpu-01@8xcpu"


@dataclass
class Shown:
    """A site with a Flower, and two jobs that went through it. users: of Flower, as its settings name them."""

    fleet: Fleet
    url: str
    flower: Aitrain
    users: dict[str, Any]
    second_host: Aitrain
    state: Path
    secrets: list[str]
    jobs: list[Job] = field(default_factory=list)

    def get(self, path: str, user: tuple[str, str] | None = VIEWER) -> requests.Response:
        return requests.get(self.url + path, auth=user, timeout=30)

    def tasks(self, search: str = "", user: tuple[str, str] = VIEWER) -> dict[str, Any]:
        found: dict[str, Any] = self.get(f"/api/tasks?search={search}", user).json()
        return found

    def workers(self) -> dict[str, Any]:
        found: dict[str, Any] = self.get("/api/workers?refresh=true").json()
        return found


@pytest.fixture(scope="module")
def own_redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A Redis with a password; its URL."""
    with RedisServer(tmp_path_factory.mktemp("redis"), durable=False) as server:
        with redis_py.Redis.from_url(server.url) as client:
            client.config_set("requirepass", REDIS_PASSWORD)
        yield server.url.replace("://", f"://:{REDIS_PASSWORD}@")


@pytest.fixture(scope="module")
def shown(
    make_fleet: Callable[..., Fleet], engine: DockerEngine, own_redis: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Shown]:
    fleet = make_fleet(secret_keys=[KEY], redis_url=own_redis)
    port, state = free_port(), tmp_path_factory.mktemp("state") / "flower"
    viewers = state.with_name("viewers")
    viewers.write_text(f"# who may look\n{':'.join(VIEWER)}\n")
    users = {
        "operators": [":".join(OPERATOR)], "viewers_file": str(viewers), "state_dir": str(state),
        "forget_workers_seconds": 1,
    }  # fmt: skip
    flower = fleet.site.flower(port, **users)
    second = fleet.site.host("cpu-01", {"cpu": 8}, engine.url, "worker")
    with ExitStack() as stack:
        for process in (flower, fleet.site.control(), fleet.site.host("gpu-01", GPUS, engine.url), second):
            stack.enter_context(process)
        own = fleet.site.settings.data_stores["s3"]
        keys = [own.secret_access_key.get_secret_value(), KEY, SECRET, REDIS_PASSWORD, OPERATOR[1], VIEWER[1]]
        site = Shown(fleet, f"http://127.0.0.1:{port}", flower, users, second, state, keys)
        eventually(lambda: _answers(f"{site.url}/healthcheck"), 60, "Flower")
        eventually(lambda: len(site.workers()) == 3, 60, "the workers")
        words = {"env": {"TOKEN": SECRET}, "labels": {"l": SECRET}, "project": "vision"}
        site.jobs = [fleet.end(fleet.submit("sh", "-c", f"echo {SECRET}", gpu=1, **words)) for _ in range(2)]
        assert [job.state for job in site.jobs] == [JobState.DONE] * 2
        fleet.client.data_stores.add(
            "vision", "own", own.endpoint_url, own.region, own.access_key_id, own.secret_access_key
        )
        eventually(lambda: steps_of(site, site.jobs[1]) == [(f"aitrain.{one}", "SUCCESS") for one in STEPS], 20)
        yield site


def _answers(url: str) -> bool:
    try:
        return requests.get(url, timeout=2).ok
    except requests.ConnectionError:
        return False


def steps_of(shown: Shown, job: Job) -> list[tuple[str, str]]:
    """Each once: `monitor` dropped the rest of its chain, and the agent sent sync_out when the container ended."""
    return sorted((task["name"], task["state"]) for task in shown.tasks(job.id).values())


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(
            executable_path="/usr/bin/chromium", args=["--no-sandbox"] if os.geteuid() == 0 else []
        )
        yield chromium
        chromium.close()


@pytest.fixture(scope="module")
def page(browser: Browser) -> Iterator[Page]:
    """A viewer's browser."""
    yield from _page(browser, VIEWER)


def _page(browser: Browser, user: tuple[str, str]) -> Iterator[Page]:
    context = browser.new_context(
        http_credentials={"username": user[0], "password": user[1]}, viewport={"width": 1640, "height": 720}
    )
    context.set_default_timeout(10_000)
    yield context.new_page()
    context.close()


def test_nobody_comes_in_without_a_password(shown: Shown, browser: Browser) -> None:
    stranger, viewer = ("vic", "guessed"), VIEWER
    for path in ("/", "/workers", "/tasks", "/broker", "/api/tasks", f"/worker/{SECOND_HOST}"):
        assert [shown.get(path, user).status_code for user in (None, stranger, viewer)] == [401, 401, 200], path
    page = next(_page(browser, stranger))
    answer = page.goto(f"{shown.url}/tasks")
    assert answer is not None
    assert answer.status == 401
    assert "Access denied" in page.content()
    page.context.close()


def test_workers_are_named_by_host_and_offer(shown: Shown, page: Page, tmp_path: Path) -> None:
    page.goto(f"{shown.url}/workers")
    row = page.locator("#workers-table tbody tr", has_text=HOST)
    expect(row).to_contain_text("Online")
    expect(page.locator("#workers-table tbody tr", has_text="control@")).to_have_count(1)
    page.screenshot(path=tmp_path / "workers.png")
    row.get_by_role("link", name=f"Worker {HOST}").click()
    expect(page.locator("#workername")).to_have_text(HOST)
    page.get_by_role("tab", name="Other").click()
    expect(page.locator("#tab-other")).to_contain_text("4 x v100s (4 free)")
    expect(page.locator("#tab-other")).to_have_css("opacity", "1")  # it fades in
    page.screenshot(path=tmp_path / "worker.png")
    page.get_by_role("tab", name="Queues").click()
    expect(page.locator("#tab-queues")).to_contain_text("gpu.v100s.gpu-01")


def test_a_jobs_id_finds_its_steps_and_only_them(shown: Shown, page: Page, tmp_path: Path) -> None:
    job = shown.jobs[0]
    page.goto(f"{shown.url}/tasks")
    rows = page.locator("#tasks-table tbody tr")
    expect(rows.first).to_contain_text("aitrain.")
    page.locator("#tasks-table_filter input").fill(job.id)
    expect(rows).to_have_count(len(STEPS))
    texts = rows.all_inner_texts()
    assert sorted(one for text in texts for one in STEPS if f"aitrain.{one}" in text) == STEPS
    assert all(f"job={job.id}" in text and "project=vision" in text for text in texts)
    page.screenshot(path=tmp_path / "tasks.png")
    rows.filter(has_text="sync_in").locator("a[href*='/task/']").click()
    for text in ("aitrain.sync_in", f"job={job.id}", "project=vision", HOST):
        expect(page.locator("#task-page")).to_contain_text(text)
    page.screenshot(path=tmp_path / "task.png")


def test_who_only_looks_changes_nothing(shown: Shown, page: Page) -> None:
    page.goto(f"{shown.url}/worker/{SECOND_HOST}")
    expect(page.locator("#workername")).to_have_text(SECOND_HOST)
    assert page.locator("#worker-shutdown, #worker-pool-grow, #worker-group").count() == 0
    for order in (f"worker/shutdown/{SECOND_HOST}", "task/send-task/aitrain.sync_out", "task/revoke/x"):
        answers = [
            requests.post(f"{shown.url}/api/{order}", auth=user, data='{"args": []}', timeout=10).status_code
            for user in (VIEWER, OPERATOR, None)
        ]
        assert answers == [403, 403, 401], order
    process = shown.second_host.process
    assert process is not None
    assert process.poll() is None


def test_no_secret_on_any_page(shown: Shown, page: Page) -> None:
    tasks = shown.tasks()
    assert {"aitrain.check_data_store", "aitrain.sync_in"} <= {task["name"] for task in tasks.values()}
    assert "project=vision datastore=own" in {task["kwargs"] for task in tasks.values()}
    pages = ["/", "/workers", "/tasks", "/broker", "/metrics", "/api/tasks", "/api/workers?refresh=true"]
    pages += [*(f"/task/{task_id}" for task_id in tasks), *(f"/worker/{name}" for name in shown.workers())]
    hidden = [*shown.secrets, *(shown.fleet.client.get(job.id).fence.split(".")[1] for job in shown.jobs)]
    for path in pages:
        text = shown.get(path).text
        assert not [one for one in hidden if one in text], path
    for path in ("/workers", "/tasks", f"/worker/{SECOND_HOST}", "/broker"):  # with what scripts put there
        page.goto(shown.url + path, wait_until="load")
        assert not [one for one in hidden if one in page.content()], path


def test_nor_in_a_list_of_processes(shown: Shown) -> None:
    lines = [path.read_bytes().decode(errors="replace") for path in Path("/proc").glob("[0-9]*/cmdline") if _is(path)]
    assert any("workers.app\0flower" in line for line in lines)
    assert not [line for line in lines if OPERATOR[1] in line or VIEWER[1] in line or REDIS_PASSWORD in line]


def _is(path: Path) -> bool:
    try:
        return bool(path.read_bytes())
    except OSError:
        return False


def test_task_names_are_few(shown: Shown) -> None:
    """A job's id in a task's name would make a new series of metrics for each job. No password is asked for."""
    answer = shown.get("/metrics", None)
    assert 'task="aitrain.sync_in"' in answer.text
    assert not [job.id for job in shown.jobs if job.id in answer.text]


def test_one_that_acts_knows_what_the_other_saw(shown: Shown, browser: Browser) -> None:
    def listed() -> set[str]:
        rows = shown.get("/workers?json=1", OPERATOR).json()["data"]
        return {row["hostname"] for row in rows}

    def workers_on_its_page() -> bool:
        answer = acting.goto(f"{shown.url}/worker/{SECOND_HOST}")
        return answer is not None and answer.ok and acting.locator("#worker-group").is_visible()

    before = shown.tasks(shown.jobs[0].id)
    shown.flower.stop()
    assert shown.state.stat().st_mode & 0o077 == 0
    port = shown.url.rpartition(":")[2]
    with shown.fleet.site.flower(int(port), "--control", **shown.users):
        eventually(lambda: _answers(f"{shown.url}/healthcheck"), 60, "Flower")
        assert shown.get("/", VIEWER).status_code == 401, "where one may act, viewers are not let in"
        assert shown.tasks(shown.jobs[0].id, OPERATOR).keys() == before.keys()
        assert len(before) == len(STEPS)
        acting = next(_page(browser, OPERATOR))
        acting.goto(shown.url)  # a browser sends the password to what lies below the first page that asked for it
        eventually(workers_on_its_page, 30, "the worker's page")
        with acting.expect_response("**/api/worker/shutdown/*") as answer:
            acting.locator("#worker-group").click()
            acting.locator("#worker-shutdown").click()
        assert answer.value.status == 200, answer.value.text()
        acting.context.close()
        # Flower has said so; the worker takes no such order from whoever writes to the broker (workers/door.py).
        process = shown.second_host.process
        assert process is not None
        said = shown.second_host.log
        eventually(lambda: "shutdown changes a worker from afar" in said.read_text(), 30, "a line in its log")
        assert process.poll() is None
        shown.second_host.stop()  # one that is gone leaves the list
        eventually(lambda: SECOND_HOST not in listed(), 30, "a shorter list")
        assert HOST in listed()
