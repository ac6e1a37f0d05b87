"""`aitrain doctor` as an operator types it: on a site in good order, and on one that is not."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.acceptance.conftest import Fleet, eventually
from tests.integration.workers.test_doctor import OddRedis
from workers.scratch.servers import DockerEngine, S3Server
from workers.scratch.site import CLI


def doctor(env: dict[str, str], *arguments: str) -> tuple[int, str]:
    """Its exit status, and what it said on one line."""
    done = subprocess.run(
        [CLI, "doctor", *arguments], env={**os.environ, "COLUMNS": "300", **env}, capture_output=True, text=True,
        timeout=60, check=False,
    )  # fmt: skip
    assert "Traceback" not in done.stderr
    return done.returncode, done.stdout + done.stderr


def test_a_site_in_good_order(make_fleet: Callable[..., Fleet], engine: DockerEngine) -> None:
    fleet = make_fleet()
    section = {
        "name": "h1", "units": {"cpu": 1}, "docker_url": engine.url, "container_network": "none",
        "data_dir": str(fleet.site.directory / "h1"),
    }  # fmt: skip
    env = fleet.site.environment(host=section)
    with fleet.site.host("h1", {"cpu": 1}, engine.url), fleet.site.control(), fleet.site.beat():
        store = fleet.client._store
        eventually(lambda: store._redis.hlen(store._key("sweeps")) >= 3, 30, "a sweep of each kind")
        eventually(lambda: store._redis.zcard(store._key("hosts")), 30, "a host")
        status, said = doctor(env, "-o", "json")
    told = {finding["check"]: finding for finding in json.loads(said)["findings"]}
    assert status == 0, said
    for check in ("store.aof", "store.eviction", "broker.reachable", "site.sweeps", "site.hosts", "data_store.s3",
                  "host.name", "host.data_dir", "host.owner", "engine.reachable", "engine.limits"):  # fmt: skip
        assert told[check]["verdict"] == "OK", told[check]
    assert told["engine.live_restore"]["verdict"] == "WARN", "the tests' engine runs without"
    assert not list((fleet.site.directory / "h1").glob(".doctor*")), "what was tried is gone"


def test_a_site_that_is_broken_in_several_ways(
    make_fleet: Callable[..., Fleet], s3: S3Server, tmp_path_factory: pytest.TempPathFactory, tmp_path: Path
) -> None:
    wrong_key = {"endpoint_url": s3.url, "access_key_id": s3.access_key_id, "secret_access_key": "wrong-secret"}
    host = {
        "name": "h1",
        "units": {"cpu": 900},
        "docker_url": f"unix://{tmp_path}/dead.sock",
        "data_dir": str(tmp_path),
    }
    with OddRedis(tmp_path_factory.mktemp("odd")) as redis:
        site = make_fleet(redis_url=redis.url, data_stores={"s3": wrong_key}).site
        status, said = doctor(site.environment(host=host))
        assert status == 1, said
        for check, remedy in {
            "store.aof": "appendonly yes", "store.eviction": "maxmemory-policy noeviction",
            "data_store.s3": "correct access_key_id, secret_access_key", "engine.reachable": "systemctl start docker",
        }.items():  # fmt: skip
            assert any(line.startswith(f"FAIL {check}: ") and remedy in line for line in said.splitlines()), (
                check,
                said,
            )
        assert "wrong-secret" not in said
        status, said = doctor(site.environment(host=host), "--no-host")
        assert status == 1
        assert "engine.reachable" not in said


def test_wrong_settings_are_told_before_anything_is_checked() -> None:
    status, said = doctor({"AITRAIN_HOST__NAME": "No Good"})
    assert status == 2
    assert "host.name" in said
