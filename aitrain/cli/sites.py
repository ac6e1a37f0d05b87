"""Commands that make the files of a site: users of Redis, certificates, keys, settings. They touch no server."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from aitrain import site_files
from aitrain.cli.output import err, out

app = typer.Typer(no_args_is_help=True, help="The files of a site whose Redis has users and TLS.")

Directory = Annotated[Path, typer.Argument(metavar="DIR", help="Where the files lie.")]
RELOAD = "have Redis read its users again: redis-cli ... ACL LOAD, as the user admin"


@app.command()
def init(
    directory: Directory,
    redis: Annotated[str, typer.Option(help="HOST[:PORT] of the site's Redis, as all machines reach it.")],
    host: Annotated[list[str] | None, typer.Option(help="Name of a GPU host. May be given several times.")] = None,
    server: Annotated[
        list[str] | None, typer.Option(help="Name of a further server that gets a certificate: the object store, say.")
    ] = None,
    namespace: Annotated[str, typer.Option(help="Prefix of the site's keys.")] = "aitrain",
    installed_at: Annotated[
        Path | None, typer.Option(help="Where the files will lie on the machines that use them; DIR if not given.")
    ] = None,
) -> None:
    """Make the files of a new site: authority, certificates, users, keys, and settings for each role.

    Each file may be read by its owner only. Nothing is overwritten.
    """
    place = installed_at or directory.absolute()
    layout = site_files.Layout(redis, host or [], namespace, place, server or [])
    for path in site_files.init(directory, layout):
        out.print(str(path), markup=False, soft_wrap=True)
    err.print("each ROLE.toml belongs on the machines of its role only; keep tls/ca.key and admin.toml off all of them")


@app.command("add-host")
def add_host(directory: Directory, host: Annotated[str, typer.Argument(help="Its name.")]) -> None:
    """Add a host: its settings, and its user."""
    out.print(str(site_files.add_host(directory, host)), markup=False, soft_wrap=True)
    err.print(RELOAD, markup=False)


@app.command("add-server")
def add_server(directory: Directory, server: Annotated[str, typer.Argument(help="Host name or address.")]) -> None:
    """Make a certificate for a further server, signed by the site's authority."""
    out.print(str(site_files.add_server(directory, server)), markup=False, soft_wrap=True)


@app.command()
def update(directory: Directory) -> None:
    """Make users.acl again of the settings of all roles: after an upgrade of aitrain, or a changed password."""
    out.print(str(site_files.update(directory)), markup=False, soft_wrap=True)
    err.print(RELOAD, markup=False)
