"""Commands on the registries of projects. A password is never an argument: every user of the machine could see it."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape
from rich.table import Column, Table

from aitrain.cli.entries import added, shown, tell_removal
from aitrain.cli.output import Format, Output, facts, out
from aitrain.cli.output import show as show_data
from aitrain.client import Client
from aitrain.domain.errors import InvalidInput
from aitrain.domain.registry import RegistryEntry

app = typer.Typer(no_args_is_help=True, help="Private registries of projects: where images of their jobs come from.")

Server = Annotated[str, typer.Argument(help="HOST[:PORT], as the names of its images begin; docker.io for Docker Hub.")]


def _password(*, from_stdin: bool) -> str:
    """Asked for, or the first line of standard input."""
    if from_stdin:
        return sys.stdin.readline().rstrip("\r\n")
    if not sys.stdin.isatty():
        remedy = "add --password-stdin, and give it on standard input"
        raise InvalidInput.of("password", "", "cannot be asked for: this is no terminal", remedy)
    return str(typer.prompt("Password or token", hide_input=True))


def _certificates(file: Path | None) -> str | None:
    try:
        return None if file is None else file.read_text()
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is not text"
        remedy = "name a file with the authority's certificate in PEM"
        raise InvalidInput.of("ca-file", file, f"cannot be read ({why})", remedy) from None


@app.command()
def add(
    project: str,
    server: Server,
    user: Annotated[str, typer.Option(help="Who may read the project's images there.")],
    password_stdin: Annotated[
        bool, typer.Option("--password-stdin", help="Read the password from standard input, and do not ask.")
    ] = False,
    ca_file: Annotated[
        Path | None, typer.Option(help="Certificate of the authority that signed the registry's, in PEM.")
    ] = None,
    check: Annotated[bool, typer.Option("--check/--no-check", help="Have a control worker log in first.")] = True,
) -> None:
    """Add a registry to a project, or replace the one of this server; images are pulled with it from then on.

    The password, or a token in its place, is asked for, or read from standard input.
    """
    ca = _certificates(ca_file)
    with Client() as client:
        entry = client.registries.add(project, server, user, _password(from_stdin=password_stdin), ca, check)
        out.print(f"{entry.server} is a registry of project {entry.project}", markup=False)


@app.command("list")
def list_registries(project: str, output: Output = Format.TABLE) -> None:
    """List a project's registries. The site's shared one stands in its settings."""
    with Client() as client:
        entries = list(client.registries.list(project))
    show_data([shown(entry) for entry in entries], output, lambda: _table(project, entries))


def _table(project: str, entries: list[RegistryEntry]) -> Table:
    heads = ("server", "user", "authority", "checked", "added")
    table = Table(*(Column(head, overflow="fold") for head in heads), title=f"project {project}")
    for entry in entries:
        authority, checked = "its own" if entry.ca else "the system's", "yes" if entry.checked else "no"
        table.add_row(entry.server, escape(entry.user), authority, checked, added(entry))
    return table


@app.command()
def show(project: str, server: Server, output: Output = Format.TABLE) -> None:
    """Show a registry, without its password."""
    with Client() as client:
        fields = shown(client.registries.show(project, server))
    told = {**fields, "ca": fields["ca"] or "the system's", "checked": "yes" if fields["checked"] else "no"}
    show_data(fields, output, lambda: facts((name, str(value)) for name, value in told.items()))


@app.command()
def remove(
    project: str,
    server: Server,
    force: Annotated[bool, typer.Option("--force", help="Also while jobs need it.")] = False,
) -> None:
    """Remove a registry. Refused while jobs that have not ended have images of it."""
    with Client() as client:
        tell_removal(server, client.registries.remove(project, server, force))
