"""Commands on projects: quotas and bills."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from aitrain.client import Client
from aitrain.domain.billing import amount
from aitrain.domain.flavor import Kind

quota = typer.Typer(no_args_is_help=True, help="How many units a project may hold at once.")
bill = typer.Typer(no_args_is_help=True, help="What projects owe.")


@quota.command("set")
def quota_set(
    project: str,
    gpus: Annotated[int | None, typer.Option(min=0, help="GPUs; leave out to keep.")] = None,
    cpus: Annotated[int | None, typer.Option(min=0, help="CPUs; leave out to keep.")] = None,
    none: Annotated[bool, typer.Option("--none", help="Lift both limits.")] = False,
) -> None:
    """Set a project's quota."""
    with Client() as client:
        for kind, limit in ((Kind.GPU, gpus), (Kind.CPU, cpus)):
            if none or limit is not None:
                client.set_quota(project, kind, limit)


@bill.command("show")
def bill_show(project: str = "default", month: Annotated[str | None, typer.Option(help="As 2026-11.")] = None) -> None:
    """Show a project's billed minutes, by job and flavor, and what they cost."""
    with Client() as client:
        rows = client.ledger(project, month)
        table = Table("job", "attempt", "flavor", "units", "minutes", "price/h", "amount", title=f"project {project}")
        groups: dict[tuple[str, int, str, int, str], int] = {}
        for row in rows:
            key = (row.job_id, row.attempt, row.terms.flavor, row.terms.units, str(row.terms.hourly_price))
            groups[key] = groups.get(key, 0) + 1
        unit = client.settings.minor_unit
        for (job_id, attempt, flavor, units, price), minutes in groups.items():
            of_group = [row for row in rows if row.job_id == job_id and row.attempt == attempt]
            table.add_row(job_id, str(attempt), flavor, str(units), str(minutes), price, str(amount(of_group, unit)))
        table.caption = f"total {amount(rows, unit)} {client.settings.currency}"
        Console().print(table)
