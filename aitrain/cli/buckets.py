"""Commands on the containers of data stores and their objects."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.filesize import decimal
from rich.table import Table

from aitrain.buckets import Place
from aitrain.cli.columns import number, whole
from aitrain.cli.output import Format, Output, out, show
from aitrain.cli.transfers import TransferBar
from aitrain.client import Client

app = typer.Typer(no_args_is_help=True, help="Containers of data stores.")
objects = typer.Typer(no_args_is_help=True, help="Objects in containers of data stores.")
app.add_typer(objects, name="object")

Project = Annotated[str, typer.Option(envvar="AITRAIN_PROJECT", help="The project whose data stores are looked into.")]
Where = Annotated[str, typer.Argument(metavar="CONTAINER@ALIAS[/PREFIX]")]
Container = Annotated[str, typer.Argument(metavar="CONTAINER@ALIAS")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Only show what would be done.")]


@app.command("list")
def list_buckets(alias: str, project: Project = "default", output: Output = Format.TABLE) -> None:
    """List the containers of a data store."""
    with Client() as client:
        names = client.buckets.list(alias, project)
    show(list(names), output, lambda: out.print("\n".join(names), markup=False, soft_wrap=True))


@app.command()
def create(container: Container, project: Project = "default") -> None:
    """Make a container."""
    with Client() as client:
        client.buckets.create(container, project)


@app.command()
def delete(container: Container, project: Project = "default") -> None:
    """Delete an empty container."""
    with Client() as client:
        client.buckets.delete(container, project)


@objects.command("list")
def list_objects(place: Where, project: Project = "default", output: Output = Format.TABLE) -> None:
    """List objects whose keys begin so."""
    with Client() as client:
        found = list(client.buckets.objects(place, project))

    def table() -> Table:
        drawn = Table(number("size"), whole("key"), box=None)
        for one in found:
            drawn.add_row(decimal(one.size), repr(one.key)[1:-1])
        return drawn

    show([{"key": one.key, "size": one.size} for one in found], output, table)


@objects.command()
def upload(
    place: Where,
    files: Annotated[list[str], typer.Argument(metavar="FILE...")],
    project: Project = "default",
    dry_run: DryRun = False,
) -> None:
    """Upload files and directories under a prefix."""
    with Client() as client, TransferBar("upload", dry_run) as bar:
        bar.tell(client.buckets.upload(place, files, project, watch=bar, dry_run=dry_run))


@objects.command()
def download(
    place: Where,
    directory: Annotated[Path, typer.Argument()] = Path(),
    project: Project = "default",
    dry_run: DryRun = False,
) -> None:
    """Download an object, or all under a prefix, into a directory."""
    with Client() as client, TransferBar("download", dry_run) as bar:
        bar.tell(client.buckets.download(place, directory, project, watch=bar, dry_run=dry_run))


@objects.command("delete")
def delete_objects(
    place: Where,
    project: Project = "default",
    dry_run: DryRun = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask before all under a prefix is deleted.")] = False,
) -> None:
    """Delete an object, or all under a prefix: that it asks about before."""
    asked = None if dry_run or yes else Place.parse(place)
    with Client() as client, TransferBar("delete", dry_run, asked) as bar:
        bar.tell(client.buckets.remove(place, project, watch=bar, dry_run=dry_run))


@objects.command()
def copy(source: Where, place: Where, project: Project = "default", dry_run: DryRun = False) -> None:
    """Copy an object, or all under a prefix, within a data store."""
    with Client() as client, TransferBar("copy", dry_run) as bar:
        bar.tell(client.buckets.copy(source, place, project, watch=bar, dry_run=dry_run))
