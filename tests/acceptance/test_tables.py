"""What operators' commands print on a terminal of 80 columns, and what they say to wrong input."""

from __future__ import annotations

import json

import pytest
import yaml

from aitrain.output import out
from tests.acceptance.test_bills import Commands
from tests.integration.store.one_host import OneHost
from workers.scratch.servers import RedisServer

PROJECT = "robotics-of-the-north"


@pytest.fixture(scope="module")
def namespace() -> str:
    return "tables-acceptance"


@pytest.fixture
def aitrain(redis: RedisServer, namespace: str) -> Commands:
    return Commands({"AITRAIN_REDIS_URL": redis.url, "AITRAIN_NAMESPACE": namespace})


def test_a_budget_is_whole_where_the_terminal_is_narrow(aitrain: Commands, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(out, "width", 80)
    table = aitrain("budget", "set", PROJECT, "123456.78", "--rule", "reserve")
    assert "…" not in table
    assert all(words in table for words in ("123456.78", "reserve", "refuse", "EUR"))
    assert "amount: 'abc' cannot be a budget" in aitrain.refused("budget", "set", PROJECT, "abc")


def test_a_project_sees_all_its_limits(aitrain: Commands) -> None:
    said = aitrain("quota", "set", PROJECT, "--gpus", "4", "--max-priority", "60")
    assert "longest timeout of a job: 28d; highest priority: 60" in said
    aitrain("quota", "set", PROJECT, "--max-timeout", "0")
    told = json.loads(aitrain("quota", "show", PROJECT, "-o", "json"))
    assert (told["max_timeout_seconds"], told["max_priority"], told["quotas"][0]["limit"]) == (0, 60, 4)


def test_projects_with_other_limits_than_quotas_are_listed(aitrain: Commands) -> None:
    aitrain("quota", "set", "patient", "--over", "hold")
    aitrain("quota", "set", "short", "--max-timeout", "2h", "--max-priority", "0")
    told = json.loads(aitrain("quota", "list", "-o", "json"))
    rules = {rule["project"]: rule for rule in told["rules"]}
    unset = {"over_quota": None, "max_timeout_seconds": None, "max_priority": None, "egress": None}
    assert rules["patient"] == unset | {"project": "patient", "over_quota": "hold"}
    assert (rules["short"]["max_timeout_seconds"], rules["short"]["max_priority"]) == (7200, 0)
    table = aitrain("quota", "list")
    assert all(words in table for words in ("patient", "hold", "short", "2h"))
    assert yaml.safe_load(aitrain("quota", "list", "-o", "yaml")) == told
    aitrain("quota", "set", "short", "--egress", "none")
    assert json.loads(aitrain("quota", "show", "short", "-o", "json"))["egress"] == "none"
    assert "what their host does, but not each other (bridge)" in aitrain("quota", "show", "patient")
    for project in ("patient", "short"):
        aitrain("quota", "set", project, "--none")
    assert not {"patient", "short"} & {
        rule["project"] for rule in json.loads(aitrain("quota", "list", "-o", "json"))["rules"]
    }


def test_jobs_are_listed_for_people_and_programs(aitrain: Commands, redis: RedisServer, namespace: str) -> None:
    site = OneHost(redis.url, namespace)
    job_id = site.running(name="ran", env={"TOKEN": "hunter2"})
    site.store.close()
    assert "…" not in aitrain("job", "list"), "an id that was cut cannot be used"
    said = aitrain("job", "list", "-o", "json")
    assert [job["id"] for job in json.loads(said)] == [job_id]
    assert "hunter2" not in said


def test_an_audit_of_nothing_is_refused(aitrain: Commands) -> None:
    assert "is not a month" in aitrain.refused("bill", "audit", "--month", "2026-1")
    assert "is no name of a project" in aitrain.refused("bill", "audit", "--project", "no such")
    told = json.loads(aitrain("bill", "audit", "-o", "json"))
    assert (told["differences"], told["found"]) == (0, [])
