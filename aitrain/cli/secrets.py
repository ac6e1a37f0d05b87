"""Commands on the site's secrets: its keys, and what each of them has sealed. No secret is ever shown."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Column, Table

from aitrain.cli.exits import FAILED
from aitrain.cli.output import Format, Output, out, show
from aitrain.client import Client
from aitrain.site_secrets import SealingKey, SecretsStatus
from aitrain.vault import add_key, new_key

app = typer.Typer(no_args_is_help=True, help="Secrets: the keys that they are sealed with.")


@app.command("new-key")
def make_key(
    file: Annotated[
        Path | None, typer.Argument(help="The key file of control workers: it is put first there, or a file is made.")
    ] = None,
) -> None:
    """Make a key of the site, for secrets.key_file of control workers. Without FILE it is printed only."""
    if file is None:
        typer.echo(new_key())
        return
    key = add_key(file).sealer
    out.print(f"{file} has the new key {key.key_id} first; start the control workers again", markup=False)
    out.print(f"its public half, for clients that pin it: {key.public_key}", markup=False, soft_wrap=True)


@app.command()
def status(output: Output = Format.TABLE) -> None:
    """Show which key has sealed how many secrets. Exit status 1: some of them no key opens."""
    with Client() as client:
        told = client.secrets_status()
    show(_record(told), output, lambda: _tell(told))
    if told.unreadable:
        raise typer.Exit(FAILED)


def _record(told: SecretsStatus) -> dict[str, Any]:
    return {"public_key": told.public_key, "keys": [{**vars(key), "state": _state(key)} for key in told.keys]}


def _tell(told: SecretsStatus) -> None:
    if told.public_key is None:
        out.print("no control worker with a key_file has been started: nothing can be sealed")
    else:
        out.print(f"public key {told.public_key}", markup=False, soft_wrap=True)
    if not told.keys:
        return
    table = Table(*(Column(head, overflow="fold") for head in ("key", "secrets", "state")))
    for key in told.keys:
        table.add_row(key.key_id, str(key.secrets), _state(key))
    out.print(table)
    for key in told.keys:
        for name in key.unreadable:
            out.print(f"{name} opens with no key that control workers have; give it again", markup=False)


def _state(key: SealingKey) -> str:
    if not key.opens:
        return "lost: control workers do not have it"
    if key.newest:
        return "newest: clients seal with it"
    return "being replaced" if key.secrets else "may be removed"
