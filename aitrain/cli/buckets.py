"""Commands on the containers of data stores and their objects."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated

import typer
from rich.filesize import decimal
from rich.progress import Progress
from rich.table import Table

from aitrain.buckets import ObjectDone, Tell
from aitrain.cli.exits import FAILED
from aitrain.cli.output import Format, Output, err, out, show
from aitrain.client import Client

app = typer.Typer(no_args_is_help=True, help="Containers of data stores.")
objects = typer.Typer(no_args_is_help=True, help="Objects in containers of data stores.")
app.add_typer(objects, name="object")

Project = Annotated[str, typer.Option(envvar="AITRAIN_PROJECT", help="The project whose data stores are looked into.")]
Where = Annotated[str, typer.Argument(metavar="CONTAINER@ALIAS[/PREFIX]")]
Container = Annotated[str, typer.Argument(metavar="CONTAINER@ALIAS")]


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
        drawn = Table("size", "key", box=None)
        for one in found:
            drawn.add_row(decimal(one.size), repr(one.key)[1:-1])
        return drawn

    show([{"key": one.key, "size": one.size} for one in found], output, table)


@objects.command()
def upload(place: Where, files: Annotated[list[Path], typer.Argument()], project: Project = "default") -> None:
    """Upload files and directories under a prefix."""
    with Client() as client:
        _run("uploaded", lambda tell: client.buckets.upload(place, files, project, tell=tell))


@objects.command()
def download(place: Where, directory: Annotated[Path, typer.Argument()] = Path(), project: Project = "default") -> None:
    """Download an object, or all under a prefix, into a directory."""
    with Client() as client:
        _run("downloaded", lambda tell: client.buckets.download(place, directory, project, tell=tell))


@objects.command("delete")
def delete_objects(place: Where, project: Project = "default") -> None:
    """Delete an object, or all under a prefix."""
    with Client() as client:
        _run("deleted", lambda tell: client.buckets.remove(place, project, tell=tell))


@objects.command()
def copy(source: Where, place: Where, project: Project = "default") -> None:
    """Copy an object, or all under a prefix, within a data store."""
    with Client() as client:
        _run("copied", lambda tell: client.buckets.copy(source, place, project, tell=tell))


def _run(word: str, act: Callable[[Tell], Sequence[ObjectDone]]) -> None:
    """Does it with a bar on a terminal, names what failed, and counts."""
    with Progress(console=err, transient=True, disable=not err.is_terminal) as bar:
        task = bar.add_task(word, total=None)
        done = act(lambda one: bar.update(task, advance=1, description=f"{word} {one.size} B"))
    failed = [one for one in done if one.error]
    for one in failed:
        err.print(f"{one.name!r}: {one.error}", markup=False, soft_wrap=True)
    size = sum(one.size for one in done)
    out.print(f"{word}: {len(done) - len(failed)} ({decimal(size)}), failed: {len(failed)}")
    if failed:
        raise typer.Exit(FAILED)
