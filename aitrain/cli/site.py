"""Commands on what projects owe."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from aitrain.client import Client
from aitrain.domain.billing import LedgerLine, amount

bill = typer.Typer(no_args_is_help=True, help="What projects owe.")


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
