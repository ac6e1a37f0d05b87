"""What Flower is told: who comes in, where it listens, how a task is shown."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from pydantic import SecretStr

from aitrain.domain.errors import InvalidInput
from aitrain.settings import Settings, load_settings
from aitrain.settings.flower import FlowerSettings
from workers.__main__ import _flower
from workers.flower import check_doors, configuration, format_task

ANYWHERE = "0.0.0.0"  # noqa: S104 - that is what is refused


def told(read_only: bool = True, **flower: Any) -> dict[str, Any]:
    return configuration(Settings(flower=FlowerSettings(**flower)), read_only=read_only)


@pytest.mark.parametrize("address", [ANYWHERE, "", "::", "192.0.2.1", "flower.example"])
def test_it_listens_to_others_only_behind_a_password(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InvalidInput, match="can be reached by others"):
        check_doors(address, [])
    check_doors(address, ["olga:secret"])
    for name in ("FLOWER_BASIC_AUTH", "FLOWER_AUTH"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(InvalidInput, match="can be reached by others"):
        _flower(Settings(), address, "5555", "", "")
    behind = Settings(flower=FlowerSettings(viewers=(SecretStr("vic:secret"),)))
    assert "--read_only=True" in _flower(behind, address, "5555", "", "")
    with pytest.raises(InvalidInput, match="can be reached by others"):
        _flower(behind, address, "5555", "no", "")  # no operator is named


@pytest.mark.parametrize("address", ["127.0.0.1", "127.1.2.3", "::1", "localhost"])
def test_on_the_loopback_it_needs_none(address: str) -> None:
    check_doors(address, [])


def test_viewers_come_in_only_where_nobody_acts(tmp_path: Path) -> None:
    file = tmp_path / "operators"
    file.write_text("# the night shift\n\nnick:secret-2\n")
    users = {"operators": ("olga:secret-1",), "operators_file": file, "viewers": ("vic:secret-3",)}
    assert told(**users)["basic_auth"] == ["olga:secret-1", "nick:secret-2", "vic:secret-3"]
    assert told(read_only=False, **users)["basic_auth"] == ["olga:secret-1", "nick:secret-2"]
    assert "secret-1" not in repr(FlowerSettings(**users))


@pytest.mark.parametrize("text", ["no-colon", "", "# nobody", "vic:", ":secret", "vic:sécret", "vic:a b"])
def test_a_file_that_lets_nobody_in_is_told_and_not_repeated(text: str, tmp_path: Path) -> None:
    file = tmp_path / "viewers"
    file.write_text(text)
    with pytest.raises(InvalidInput, match=r"flower\.viewers_file") as caught:
        told(viewers_file=file)
    assert "secret" not in str(caught.value)
    with pytest.raises(InvalidInput, match="cannot be read"):
        told(viewers_file=tmp_path / "none")


def test_a_wrong_user_in_the_settings_is_named_and_not_repeated(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AITRAIN_FLOWER__OPERATORS", '["olga secret"]')
    with pytest.raises(InvalidInput, match=r"flower\.operators") as caught:
        load_settings()
    assert "olga secret" not in str(caught.value)


def test_what_it_keeps_stands_in_a_directory_for_itself(tmp_path: Path) -> None:
    state = tmp_path / "new" / "flower"
    found = told(state_dir=state, save_seconds=5)
    assert (found["persistent"], found["db"], found["state_save_interval"]) == (True, str(state / "tasks"), 5000)
    assert state.stat().st_mode & 0o777 == 0o700
    assert not {"db", "basic_auth", "url_prefix"} & told().keys()
    (tmp_path / "file").touch()
    with pytest.raises(InvalidInput, match=r"flower\.state_dir"):
        told(state_dir=tmp_path / "file" / "below")


def test_a_configuration_of_ones_own_is_read_after_aitrains(tmp_path: Path) -> None:
    file = tmp_path / "flowerconfig.py"
    file.write_text("import logging\nmax_tasks = 7\nauto_refresh = False\n")
    found = told(config_file=file)
    assert (found["max_tasks"], found["auto_refresh"], "logging" in found) == (7, False, False)
    file.write_text("1 / 0")
    with pytest.raises(InvalidInput, match="division by zero"):
        told(config_file=file)


def test_arguments_that_there_are_none_of_are_not_shown() -> None:
    sweep = format_task(SimpleNamespace(args="()", kwargs="{}", result="None"))
    assert (sweep.args, sweep.kwargs, sweep.result) == ("", "", "")
    step = format_task(SimpleNamespace(args="job=1", kwargs="project=red", result="'done'"))
    assert (step.args, step.kwargs, step.result) == ("job=1", "project=red", "'done'")
