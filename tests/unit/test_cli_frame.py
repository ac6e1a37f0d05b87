"""The frame of the command line: what starts it does not load what the command has no use for."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from typer.main import get_command
from typer.testing import CliRunner

from aitrain.cli.app import BILL_COMMANDS, COMMANDS, JOB_COMMANDS, app
from aitrain.cli.lazy import Entry
from deploy.docs.commands import render, walk

HEAVY = ("celery", "kombu", "redis", "pydantic", "cryptography", "rich.table")


@pytest.mark.parametrize(
    ("code", "unwanted"),
    [
        ("import aitrain", HEAVY),
        ("import aitrain.cli.app", HEAVY),
        # The bare list, too, for completion asks for it at each press of a key.
        ("from aitrain.cli.app import jobs; from typer.main import get_group; get_group(jobs)", HEAVY),
        (
            "import aitrain.cli.jobs, aitrain.cli.listing; from aitrain import Client, submit_job",
            ("celery", "kombu", "boto3"),
        ),
        (
            "from aitrain import Client, submit_job",
            (
                "aitrain.vault",
                "aitrain.buckets",
                "aitrain.audit",
                "aitrain.ledger_file",
                "aitrain.async_client",
                "aitrain.domain.waiting",
                "aitrain.domain.receipt",
                "aitrain.domain.bill",
            ),
        ),
    ],
)
def test_what_is_not_needed_is_not_loaded(code: str, unwanted: tuple[str, ...]) -> None:
    told = f"{code}; import sys; print([name for name in {unwanted} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", told], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("entry", COMMANDS, ids=lambda entry: entry.name)
def test_every_line_of_the_table_loads(entry: Entry) -> None:
    done = CliRunner().invoke(app, [entry.name, "--help"])
    assert done.exit_code == 0, done.output
    assert f" {entry.name} " in done.output


def test_no_help_has_what_is_taken_for_markup() -> None:
    """Rich leaves out "[secrets]", and nobody sees that a word is missing."""
    told = [
        (path, text)
        for path, command in walk(get_command(app), ("aitrain",))
        for text in (command.help, *(getattr(parameter, "help", None) for parameter in command.params))
    ]
    assert ("aitrain", "secret", "new-key") in [path for path, _ in told]
    assert [(path, text) for path, text in told if re.search(r"\[[a-z#/@]", text or "")] == []


@pytest.mark.parametrize("entry", JOB_COMMANDS + BILL_COMMANDS, ids=lambda entry: entry.name)
def test_what_the_list_of_commands_says_of_one_is_its_own_help(entry: Entry) -> None:
    assert (entry.load().help or "").startswith(entry.help)


def test_the_page_of_the_command_line_has_the_commands_of_groups() -> None:
    page = render()
    for words in ("job list", "job exec", "host drain", "bill audit", "datastore add"):
        assert f"### aitrain {words}\n" in page
    assert "`--quiet`" in page


def test_a_group_of_one_command_stays_a_group() -> None:
    done = CliRunner().invoke(app, ["queue", "list", "--help"])
    assert done.exit_code == 0, done.output


def test_a_slip_is_told_with_what_was_meant() -> None:
    done = CliRunner().invoke(app, ["qoeue"])
    assert done.exit_code == 2
    assert "queue" in done.output


def test_version_and_completion() -> None:
    assert CliRunner().invoke(app, ["--version"]).output.startswith("aitrain 0.")
    for shell in ("bash", "zsh", "fish"):
        script = CliRunner().invoke(app, ["completion", shell])
        assert "_AITRAIN_COMPLETE" in script.output
    assert CliRunner().invoke(app, ["completion", "tcsh"]).exit_code == 2


def test_a_shell_completes_below_a_group() -> None:
    words = {"_AITRAIN_COMPLETE": "complete_bash", "COMP_WORDS": "aitrain host d", "COMP_CWORD": "2"}
    code = "import sys; sys.argv = ['aitrain']; from aitrain.cli import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, env=os.environ | words
    )
    assert done.stdout.split() == ["drain"], done.stderr


@pytest.mark.parametrize(
    ("ends", "env", "status", "words"),
    [
        (">&- <&-", {}, 0, ""),
        (">/dev/full", {}, 1, "error: [Errno 28] No space left on device; what could not be written is lost\n"),
        (
            "| grep logs.container >&2",
            {"AITRAIN_LOGS": '{"container": "logs@s3/ü"}', "PYTHONIOENCODING": "ascii"},
            0,
            "logs@s3/\\xfc",
        ),
    ],
)
def test_whatever_becomes_of_its_streams(ends: str, env: dict[str, str], status: int, words: str) -> None:
    command = f"{Path(sys.executable).parent / 'aitrain'} config show {ends}"
    done = subprocess.run(
        ["sh", "-c", command], env={**os.environ, **env}, stderr=subprocess.PIPE, text=True, check=False
    )
    assert (done.returncode, words in done.stderr, "Traceback" in done.stderr) == (status, True, False), done.stderr


def test_a_date_that_is_none_is_told_as_one() -> None:
    told = CliRunner().invoke(app, ["job", "logs", "x", "--since", "2026-11-29T99:00"])
    assert (told.exit_code, "is no date" in told.output) == (2, True)
