"""Commands on settings. They read them as every process does, and reach nothing else."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any

import typer
from rich.table import Column, Table
from rich.text import Text

from aitrain.cli.columns import whole
from aitrain.cli.exits import FAILED, WRONG_INPUT
from aitrain.cli.output import Format, Output, err, out, printable
from aitrain.cli.output import show as show_data
from aitrain.domain.errors import InvalidInput
from aitrain.effective import FILE, Effective, effective_settings, settings_file, unread_variables
from aitrain.settings import load_settings

app = typer.Typer(no_args_is_help=True, help="Settings: what holds here, and where it comes from.")


@app.command()
def show(output: Output = Format.TABLE) -> None:
    """Show every setting that holds here, and whether it is a default, of the file, or of a variable.

    Keys and passwords are masked.
    """
    found = effective_settings()
    show_data([asdict(one) | {"origin": one.origin.value} for one in found], output, lambda: _table(found))


def _table(found: list[Effective]) -> Table:
    # A name is copied into a variable or a file, so it stays whole; frames would take the room that values need.
    table = Table(Column("setting", no_wrap=True), whole("value"), whole("from"), box=None, pad_edge=False)
    for one in found:
        table.add_row(one.name, Text(printable(_text(one.value))), Text(one.source or one.origin.value))
    return table


def _text(value: Any) -> str:
    """A value as a variable would have it."""
    if value is None:
        return "-"
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


@app.command()
def path(output: Output = Format.TABLE) -> None:
    """Print the path of the settings' file. Exit status 1: none is named, or it is not there."""
    file = settings_file()
    there = file is not None and file.is_file()

    def tell() -> None:
        if file is None:
            err.print(f"no file is named: set {FILE} to the path of one, or use variables only")
        else:
            out.print(str(file), markup=False, soft_wrap=True)
            if not there:
                err.print("there is no such file", markup=False)

    show_data({"path": None if file is None else str(file), "exists": there}, output, tell)
    if not there:
        raise typer.Exit(FAILED)


@app.command()
def check(output: Output = Format.TABLE) -> None:
    """Check the settings of this machine, and nothing else. Exit status 2: something is wrong with them.

    Variables that begin like settings and are none are told, too: they may be misspelt.
    """
    problems: list[dict[str, str]] = []
    told = ""
    try:
        load_settings()
    except InvalidInput as error:
        problems, told = [asdict(problem) for problem in error.problems], str(error)
    unread = unread_variables()

    def tell() -> None:
        for line in told.splitlines():
            out.print(f"wrong: {line}", markup=False, soft_wrap=True)
        for name in unread:
            out.print(f"not read: {name} is no setting; is it misspelt?", markup=False, soft_wrap=True)
        if not problems:
            out.print("the settings can be read; `aitrain doctor` checks what they lead to", soft_wrap=True)

    show_data({"valid": not problems, "problems": problems, "not_read": unread}, output, tell)
    if problems:
        raise typer.Exit(WRONG_INPUT)
