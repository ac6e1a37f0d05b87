"""How commands print: whole where nobody folds, and the same data in every form."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest
import yaml
from rich.table import Table

from aitrain.domain.states import State
from aitrain.output import Format, facts, flat, out, show

DATA = {"name": "größer", "lines": [{"minutes": 3}, {"minutes": 4}], "labels": {}, "none": None, "state": State.DONE}
LONG = "x" * 3000
PRINTS = f"from aitrain.output import out, facts; out.print(facts([('name', '{LONG}')]))"


@pytest.mark.parametrize(("form", "read"), [(Format.JSON, json.loads), (Format.YAML, yaml.safe_load)])
def test_programs_read_what_was_shown(form: Format, read: object, capsys: pytest.CaptureFixture[str]) -> None:
    show(DATA, form, lambda: pytest.fail("no table was asked for"))
    said = capsys.readouterr().out
    assert read(said) == DATA  # type: ignore[operator]
    assert "größer" in said


def test_a_table_is_for_people(capsys: pytest.CaptureFixture[str]) -> None:
    table = Table("drawn")
    table.add_row("a row")
    show(DATA, Format.TABLE, lambda: table)
    show(DATA, Format.TABLE, lambda: out.print("printed by itself"))
    said = capsys.readouterr().out
    assert all(words in said for words in ("drawn", "printed by itself"))


def test_what_others_wrote_commands_no_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    table = Table("a\x1b[2J")
    table.add_row("b\x1b[2Jä")
    out.print("stopped by \x1b]0;me\x07\r\nagain\tnow", markup=False, soft_wrap=True)
    out.print(table)
    said = capsys.readouterr().out
    assert not {"\x1b", "\x07", "\r"} & set(said)
    assert "\nagain" in said
    assert said.count("\ufffd") == 5
    assert "b\ufffd[2Jä" in said


def test_an_empty_table_is_said_beside(capsys: pytest.CaptureFixture[str]) -> None:
    show([], Format.TABLE, lambda: Table("drawn"))
    assert capsys.readouterr() == ("", "there is nothing to show\n")


def test_nothing_is_folded_without_a_terminal_unless_a_width_is_given() -> None:
    given = {name: value for name, value in os.environ.items() if name != "COLUMNS"}
    said = subprocess.run([sys.executable, "-c", PRINTS], capture_output=True, text=True, check=True, env=given)
    assert LONG in said.stdout
    narrow = subprocess.run(
        [sys.executable, "-c", PRINTS], capture_output=True, text=True, check=True, env={**given, "COLUMNS": "60"}
    )
    assert {len(line) for line in narrow.stdout.splitlines()} == {60}
    assert narrow.stdout.count("x") == len(LONG), "it went over lines, and was not cut"


def test_facts_obey_nobody(capsys: pytest.CaptureFixture[str]) -> None:
    out.print(facts([("user", "a[red]b\x1b[2Jc")]))
    said = capsys.readouterr().out
    assert "a[red]b\ufffd[2Jc" in said
    assert "\x1b" not in said


def test_flat_names_every_value() -> None:
    assert list(flat(DATA)) == [
        ("name", "größer"), ("lines.0.minutes", 3), ("lines.1.minutes", 4), ("labels", {}), ("none", None),
        ("state", "DONE"),
    ]  # fmt: skip
