"""`aitrain secret`, and secret variables at the command line."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from aitrain.cli.app import app
from aitrain.cli.submitting import _of_files, _variables
from aitrain.client import Client
from aitrain.domain.errors import InvalidInput
from aitrain.site_secrets import SealingKey, SecretsStatus
from aitrain.vault import PrivateKey, Vault


@pytest.fixture(autouse=True)
def no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("AITRAIN_")]:
        monkeypatch.delenv(name)


def aitrain(*arguments: str, status: int = 0) -> str:
    done = CliRunner().invoke(app, ["secret", *arguments])
    assert done.exit_code == status, done.output
    return done.output


def test_a_key_is_printed_or_put_first_into_a_file(tmp_path: Path) -> None:
    assert PrivateKey.of(aitrain("new-key").strip())
    path = tmp_path / "secrets.key"
    for count in (1, 2):
        said = aitrain("new-key", str(path))
        vault = Vault.of(path)
        assert len(vault.key_ids) == count
        assert vault.newest
        assert vault.newest.public_key in said
        assert vault.key_ids[0] in said
        assert all(line not in said for line in path.read_text().split())


def test_the_status_says_which_key_may_go(monkeypatch: pytest.MonkeyPatch) -> None:
    keys = [
        SealingKey("new", 3, newest=True, opens=True), SealingKey("mid", 1, newest=False, opens=True),
        SealingKey("old", 0, newest=False, opens=True),
    ]  # fmt: skip
    told: list[Any] = [SecretsStatus("aitrain-public-key-x", keys)]
    monkeypatch.setattr(Client, "secrets_status", lambda _: told[0])
    said = aitrain("status")
    assert "aitrain-public-key-x" in said
    for state in ("newest: clients seal with it", "being replaced", "may be removed"):
        assert said.count(state) == 1
    told[0] = SecretsStatus("p", [*keys, SealingKey("lost", 2, newest=False, opens=False, unreadable=["env/17"])])
    assert "env/17 opens with no key" in aitrain("status", status=1)
    assert '"state": "may be removed"' in aitrain("status", "-o", "json", status=1)
    told[0] = SecretsStatus(None, [])
    assert "no control worker with a key_file" in aitrain("status")


def test_secret_variables_of_files_and_options(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HERE", "hunter2")
    (tmp_path / "env").write_text("# of the team\nHERE\nGIVEN=a=b\n\n")
    assert _of_files([tmp_path / "env"], "secret_env_file") == {"HERE": "hunter2", "GIVEN": "a=b"}
    assert _variables(["HERE"], "secret_env") == {"HERE": "hunter2"}
    (tmp_path / "env").write_text("hunter2 without a name")
    with pytest.raises(InvalidInput, match="secret_env_file") as caught:
        _of_files([tmp_path / "env"], "secret_env_file")
    assert "hunter2" not in str(caught.value)
    with pytest.raises(InvalidInput, match=r"secret_env_file.*cannot be read") as caught:
        _of_files([tmp_path / "none"], "secret_env_file")
