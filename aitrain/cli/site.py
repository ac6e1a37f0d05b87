"""Commands on projects: quotas and bills."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from aitrain.client import Client
from aitrain.domain.billing import LedgerLine, amount
from aitrain.domain.flavor import Kind

quota = typer.Typer(no_args_is_help=True, help="How many units a project may hold at once.")
bill = typer.Typer(no_args_is_help=True, help="What projects owe.")


@quota.command("set")
def quota_set(
    project: str,
    gpus: Annotated[int | None, typer.Option(min=0, help="GPUs; leave out to keep.")] = None,
    cpus: Annotated[int | None, typer.Option(min=0, help="CPUs; leave out to keep.")] = None,
    max_timeout: Annotated[
        int | None, typer.Option(min=0, help="Longest timeout of its jobs in seconds, 0 for none; leave out to keep.")
    ] = None,
    max_priority: Annotated[
        int | None, typer.Option(min=0, max=100, help="Highest priority of its jobs; leave out to keep.")
    ] = None,
    none: Annotated[bool, typer.Option("--none", help="Lift all limits of its own; the site's hold.")] = False,
) -> None:
    """Set a project's quota."""
    with Client() as client:
        for kind, limit in ((Kind.GPU, gpus), (Kind.CPU, cpus)):
            if none or limit is not None:
                client.set_quota(project, kind, limit)
        if none or max_timeout is not None:
            client.set_timeout_limit(project, max_timeout)
        if none or max_priority is not None:
            client.set_priority_limit(project, max_priority)


@bill.command("show")
def bill_show(project: str = "default", month: Annotated[str | None, typer.Option(help="As 2026-11.")] = None) -> None:
    """Show a project's billed minutes, by job and flavor, and what they cost."""
    with Client() as client:
        rows = client.ledger(project, month)
        table = Table("job", "attempt", "flavor", "units", "minutes", "price/h", "amount", title=f"project {project}")
        groups: dict[tuple[str, ...], list[LedgerLine]] = {}
        for row in rows:
            terms = row.terms
            price = str(terms.hourly_price)
            groups.setdefault((row.job_id, str(row.attempt), terms.flavor, str(terms.units), price), []).append(row)
        unit = client.settings.minor_unit
        for (*what, price), of_group in groups.items():
            table.add_row(*what, str(sum(line.minutes for line in of_group)), price, str(amount(of_group, unit)))
        table.caption = f"total {amount(rows, unit)} {client.settings.currency}"
        Console().print(table)
