"""Whether the processes of the fleet get work done, as they proved last. Asks the job store, and nobody else."""

from __future__ import annotations

import socket
from dataclasses import asdict
from typing import Annotated

import typer
from rich.table import Column, Table
from rich.text import Text

from aitrain.cli.exits import FAILED
from aitrain.cli.output import Format, Output, out, printable
from aitrain.cli.output import show as show_data
from aitrain.client import open_store
from aitrain.domain.errors import InvalidInput
from aitrain.domain.health import Health, Role, judge
from aitrain.settings import Settings, load_settings

ON_A_HOST = (Role.WORKER, Role.AGENT)


def health(
    role: Annotated[Role | None, typer.Argument(help="One process; every process of the site if left out.")] = None,
    name: Annotated[
        str | None,
        typer.Option(help="Of the host, or of the machine with the control worker or beat; this one if left out."),
    ] = None,
    output: Output = Format.TABLE,
) -> None:
    """Say whether a process gets work done. Exit status 1: it does not, or the job store cannot be asked.

    Cheap enough to be asked every half minute, as compose files do.
    """
    if role is None and name is not None:
        raise InvalidInput.of("--name", name, "is of no role", "name a role too, as worker")
    settings = load_settings()
    store = open_store(settings)
    vitals = store.vitals()
    asked = vitals.of if role is None else (vitals.find(role, name or _here(role, settings)),)
    timing = settings.timing
    found = [judge(one, vitals, timing.canary_stale_seconds, timing.sweep_seconds) for one in asked]
    if role is None:
        show_data([asdict(one) for one in found], output, lambda: _table(found))
    else:
        show_data(asdict(found[0]), output, lambda: _say(found[0]))
    if not found or not all(one.well for one in found):
        raise typer.Exit(FAILED)


def _here(role: Role, settings: Settings) -> str:
    return settings.host.name if role in ON_A_HOST else socket.gethostname()


def _say(found: Health) -> None:
    state = "is well" if found.well else "is not well"
    out.print(f"{found.role} {found.name} {state}: {found.why}", markup=False, soft_wrap=True)


def _table(found: list[Health]) -> Table:
    table = Table(Column("role", no_wrap=True), Column("name", no_wrap=True), Column("well", no_wrap=True), "why")
    for one in found:
        table.add_row(one.role, Text(printable(one.name)), "yes" if one.well else "no", Text(printable(one.why)))
    return table
