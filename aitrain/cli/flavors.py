"""Commands on flavors: what a job may ask for."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from aitrain.client import Client
from aitrain.domain.flavor import Flavor
from aitrain.store import UnitCount

app = typer.Typer(no_args_is_help=True, help="Flavors: the kinds of unit that jobs may ask for.")
out = Console(highlight=False)

NONE = UnitCount(0, 0)


@app.command("list")
def list_flavors(as_json: Annotated[bool, typer.Option("--json", help="Print them as JSON.")] = False) -> None:
    """List what one unit of each flavor brings and costs, and how many units hosts have of it."""
    with Client() as client:
        flavors, units, currency = client.settings.flavors, client.units(), client.settings.currency
    if as_json:
        out.print_json(data=[_row(name, flavor, units.get(name, NONE)) for name, flavor in flavors.items()])
        return
    table = Table(
        "flavor", "kind", "GPU", "CPUs", "memory GiB", "disk GiB", "shm GiB", "most a job", f"{currency}/h", "offered",
        "free", caption="of one unit; * is what a job gets that names no flavor",
    )  # fmt: skip
    for name, flavor in flavors.items():
        counted = units.get(name, NONE)
        memory = f"{flavor.gpu_memory_gib} GiB" if flavor.gpu_memory_gib else ""
        table.add_row(
            f"{name} *" if flavor.default else name, flavor.kind, " ".join((flavor.brand, flavor.model, memory)).strip(),
            _short(flavor.cpu), _short(flavor.memory_gib), _short(flavor.disk_gib) if flavor.disk_gib else "",
            _short(flavor.shm_gib), str(flavor.max_units), str(flavor.hourly_price), str(counted.offered),
            str(counted.free),
        )  # fmt: skip
    out.print(table)


def _row(name: str, flavor: Flavor, counted: UnitCount) -> dict[str, Any]:
    return {"id": name, **flavor.model_dump(mode="json"), "offered": counted.offered, "free": counted.free}


def _short(number: Decimal) -> str:
    return f"{number.normalize():f}"
