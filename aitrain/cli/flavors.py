"""Commands on flavors: what a job may ask for."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import typer
from rich.table import Column, Table

from aitrain.cli.columns import number
from aitrain.cli.output import Format, Output, show
from aitrain.client import Client
from aitrain.domain.flavor import Flavor
from aitrain.store import UnitCount

app = typer.Typer(no_args_is_help=True, help="Flavors: the kinds of unit that jobs may ask for.")

NONE = UnitCount(0, 0)


@app.command("list")
def list_flavors(output: Output = Format.TABLE) -> None:
    """List what one unit of each flavor brings and costs, and how many units hosts have of it."""
    with Client() as client:
        flavors, units, currency = client.settings.flavors, client.units(), client.settings.currency
    rows = [_row(name, flavor, units.get(name, NONE)) for name, flavor in flavors.items()]
    show(rows, output, lambda: _table(flavors, units, currency))


def _table(flavors: dict[str, Flavor], units: Mapping[str, UnitCount], currency: str) -> Table:
    numbers = (number(head) for head in ("CPUs", "GiB", "disk", "shm", "most", f"{currency}/h", "free"))
    table = Table(
        Column("flavor", no_wrap=True), "GPU", *numbers,
        caption="of one unit: CPUs, memory, disk and shm in GiB, price; most: units in one job; *: if a job names none",
    )  # fmt: skip
    for name, flavor in flavors.items():
        counted = units.get(name, NONE)
        memory = f"{flavor.gpu_memory_gib} GiB" if flavor.gpu_memory_gib else ""
        table.add_row(
            f"{name} *" if flavor.default else name,
            " ".join(part for part in (flavor.brand, flavor.model, memory) if part),
            *(_short(share) for share in (flavor.cpu, flavor.memory_gib, flavor.disk_gib, flavor.shm_gib)),
            str(flavor.max_units),
            str(flavor.hourly_price),
            f"{counted.free} of {counted.offered}",
        )
    return table


def _row(name: str, flavor: Flavor, counted: UnitCount) -> dict[str, Any]:
    return {"id": name, **flavor.model_dump(mode="json"), "offered": counted.offered, "free": counted.free}


def _short(number: Decimal) -> str:
    return f"{number.normalize():f}" if number else ""
