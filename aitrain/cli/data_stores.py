"""Commands on the data stores of projects. A secret is never an argument: every user of the machine could see it."""

from __future__ import annotations

import os
import sys
from typing import Annotated

import typer
from rich.markup import escape
from rich.table import Column, Table

from aitrain.cli.entries import added, shown, tell_removal
from aitrain.cli.output import Format, Output, facts, out
from aitrain.cli.output import show as show_data
from aitrain.client import Client
from aitrain.domain.datastore import DataStoreEntry

app = typer.Typer(no_args_is_help=True, help="Data stores of projects: the object storages that their jobs use.")

SECRET_VARIABLE = "AITRAIN_SECRET_ACCESS_KEY"  # noqa: S105 - the name of a variable


def _secret() -> str:
    """From the environment, else asked for, else the first line of standard input."""
    if given := os.environ.get(SECRET_VARIABLE):
        return given
    if sys.stdin.isatty():
        return str(typer.prompt("Secret access key", hide_input=True))
    return sys.stdin.readline().strip()


@app.command()
def add(
    project: str,
    alias: str,
    access_key_id: Annotated[str, typer.Option(help="The public half of its keys.")],
    endpoint_url: Annotated[str | None, typer.Option(help="http(s)://HOST[:PORT]; Amazon's own if not given.")] = None,
    region: Annotated[str, typer.Option(help="As the service calls it.")] = "us-east-1",
    container: Annotated[
        str | None, typer.Option(help="List this container for the check: for keys that may not list all.")
    ] = None,
    check: Annotated[bool, typer.Option("--check/--no-check", help="Have a control worker try it first.")] = True,
) -> None:
    """Add a data store to a project, or replace the one of this alias; jobs use it from their next step on.

    The secret access key is taken from the variable AITRAIN_SECRET_ACCESS_KEY, asked for, or read from standard input.
    """
    with Client() as client:
        entry = client.data_stores.add(
            project, alias, endpoint_url, region, access_key_id, _secret(), container=container, check=check
        )
        out.print(f"{entry.alias} is a data store of project {entry.project}", markup=False)


@app.command("list")
def list_data_stores(project: str, output: Output = Format.TABLE) -> None:
    """List a project's data stores. Those of the site stand in its settings."""
    with Client() as client:
        entries = list(client.data_stores.list(project))
    show_data([shown(entry) for entry in entries], output, lambda: _table(project, entries))


def _table(project: str, entries: list[DataStoreEntry]) -> Table:
    heads = ("alias", "endpoint", "region", "access key id", "checked", "added")
    table = Table(*(Column(head, overflow="fold") for head in heads), title=f"project {project}")
    for entry in entries:
        table.add_row(
            entry.alias, escape(entry.endpoint_url or "Amazon's"), entry.region, entry.access_key_id,
            "yes" if entry.checked else "no", added(entry),
        )  # fmt: skip
    return table


@app.command()
def show(project: str, alias: str, output: Output = Format.TABLE) -> None:
    """Show a data store. Its keys are left out, but for the end of the access key id."""
    with Client() as client:
        fields = shown(client.data_stores.show(project, alias))
    named = {name.replace("_", " "): value for name, value in fields.items()}
    told = named | {
        "endpoint url": fields["endpoint_url"] or "Amazon's",
        "checked": "yes" if fields["checked"] else "no",
    }
    show_data(fields, output, lambda: facts((name, str(value)) for name, value in told.items()))


@app.command()
def remove(
    project: str,
    alias: str,
    force: Annotated[bool, typer.Option("--force", help="Also while jobs need it.")] = False,
) -> None:
    """Remove a data store. Refused while jobs that have not ended name it."""
    with Client() as client:
        tell_removal(alias, client.data_stores.remove(project, alias, force))
