"""Effective settings: each says where it comes from, and no secret is among them."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

from aitrain.cli.app import app
from aitrain.domain.errors import InvalidInput
from aitrain.effective import OTHER_VARIABLES, effective_settings, unread_variables
from workers import containers

SECRET = "hunter2/with@odd?signs"
FILE = f"""
currency = "CHF"
namespace = "from-file"
broker_url = "redis://h/1?password={SECRET}"
[host]
name = "gpu-01"
units = {{ v100s = ["GPU-a", "GPU-b"] }}
[data_stores.s3]
endpoint_url = "https://user:{SECRET}@s3.example"
secret_access_key = "{SECRET}"
access_key_id = "{SECRET}"
"""


@pytest.fixture(autouse=True)
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Settings in a file, and some in variables."""
    for name in [name for name in os.environ if name.startswith("AITRAIN_")]:
        monkeypatch.delenv(name)
    (tmp_path / "aitrain.toml").write_text(FILE)
    monkeypatch.setenv("AITRAIN_CONFIG", str(tmp_path / "aitrain.toml"))
    monkeypatch.setenv("AITRAIN_NAMESPACE", "from-env")
    monkeypatch.setenv("aitrain_timing__sweep_seconds", "7")
    monkeypatch.setenv("AITRAIN_LOGS", '{"segment_bytes": 4096}')
    monkeypatch.setenv("AITRAIN_REDIS_URL", "rediss://:hunter2/x@y@redis.example/3")


def config(*arguments: str, status: int = 0) -> str:
    done = CliRunner().invoke(app, ["config", *arguments])
    assert done.exit_code == status, done.output
    return done.output


def test_each_setting_says_where_it_comes_from(tmp_path: Path) -> None:
    file = str(tmp_path / "aitrain.toml")
    found = {one.name: (one.value, one.origin, one.source) for one in effective_settings()}
    assert found["namespace"] == ("from-env", "environment", "AITRAIN_NAMESPACE")
    assert found["timing.sweep_seconds"] == (7, "environment", "aitrain_timing__sweep_seconds")
    assert found["logs.segment_bytes"] == (4096, "environment", "AITRAIN_LOGS")
    assert found["logs.container"] == (None, "default", "")
    assert found["currency"] == ("CHF", "file", file)
    assert found["host.units.v100s"] == (["GPU-a", "GPU-b"], "file", file)
    assert found["flavors.cpu.kind"] == ("cpu", "default", "")
    assert found["data_stores.s3.region"] == ("us-east-1", "default", "")


def test_no_secret_is_shown_in_any_form() -> None:
    found = {one.name: one.value for one in effective_settings()}
    assert (found["redis_url"], found["broker_url"]) == ("rediss://***@redis.example/3", "redis://***")
    assert found["data_stores.s3.endpoint_url"] == "https://***"
    assert found["data_stores.s3.secret_access_key"] == "***"
    for form in ("table", "json", "yaml"):
        said = config("show", "-o", form)
        assert all(hidden not in said for hidden in (SECRET, "hunter2", "odd?signs"))


def test_forms_agree() -> None:
    told = json.loads(config("show", "-o", "json"))
    assert yaml.safe_load(config("show", "-o", "yaml")) == told
    table = config("show")
    assert all(one["name"] in table for one in told)
    assert "AITRAIN_NAMESPACE" in table


def test_the_path_of_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert config("path").strip() == str(tmp_path / "aitrain.toml")
    monkeypatch.setenv("AITRAIN_CONFIG", str(tmp_path / "none.toml"))
    assert json.loads(config("path", "-o", "json", status=1)) == {"path": str(tmp_path / "none.toml"), "exists": False}
    with pytest.raises(InvalidInput, match="is not a file"):
        effective_settings()
    monkeypatch.delenv("AITRAIN_CONFIG")
    assert "set AITRAIN_CONFIG" in config("path", status=1)


def test_what_is_wrong_is_told_and_secrets_are_not(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "can be read" in config("check")
    monkeypatch.setenv("AITRAIN_REDIS_ULR", SECRET)
    monkeypatch.setenv("AITRAIN_PROJECT", "vision")
    assert json.loads(config("check", "-o", "json")) == {
        "valid": True, "problems": [], "not_read": ["AITRAIN_REDIS_ULR"],
    }  # fmt: skip
    monkeypatch.setenv("AITRAIN_TIMING__SWEEP_SECONDS", "-1")
    monkeypatch.delenv("aitrain_timing__sweep_seconds")
    monkeypatch.setenv("AITRAIN_REDIS_URL", f"http://{SECRET}")
    said = config("check", status=2)
    assert all(words in said for words in ("timing.sweep_seconds", "not read: AITRAIN_REDIS_ULR"))
    assert "hunter2" not in said


@pytest.mark.parametrize("written", [True, False])
def test_the_setting_that_keys_once_were_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, written: bool
) -> None:
    if written:
        (tmp_path / "aitrain.toml").write_text('encryption_keys = ["hunter2"]')
    else:
        monkeypatch.setenv("AITRAIN_ENCRYPTION_KEYS", '["hunter2"]')
    said = config("check", status=2)
    assert "aitrain secret new-key FILE" in said
    assert "hunter2" not in said


def test_variables_of_jobs_are_no_slips(monkeypatch: pytest.MonkeyPatch) -> None:
    given = set(re.findall(r'"(AITRAIN_\w+)":', Path(str(containers.__file__)).read_text()))
    assert len(given) > 5
    assert given <= OTHER_VARIABLES
    for name in OTHER_VARIABLES:
        monkeypatch.setenv(name, "x")
    assert unread_variables() == []
