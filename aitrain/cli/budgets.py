"""Commands on budgets of projects."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated

import typer
from rich.table import Column, Table

from aitrain.cli.columns import number, whole
from aitrain.cli.exits import FAILED
from aitrain.cli.output import Format, Output, out
from aitrain.cli.output import show as show_data
from aitrain.client import Client
from aitrain.domain.budget import BudgetRule, BudgetView

app = typer.Typer(no_args_is_help=True, help="What a project may spend in a month.")


@app.command("set")
def set_(
    project: str,
    amount: Annotated[str, typer.Argument(help="The most that its jobs may cost in a month (UTC).")],
    warn: Annotated[int, typer.Option(min=0, max=100, help="Percent of it at which to warn; 0: never.")] = 80,
    rule: Annotated[
        BudgetRule,
        typer.Option(
            help="refuse: a new job has to fit into what is left; reserve: and into what all live jobs leave of that."
        ),
    ] = BudgetRule.REFUSE,
    stop: Annotated[
        bool, typer.Option("--stop/--no-stop", help="At the limit, stop what runs and hold what waits.")
    ] = False,
) -> None:
    """Set a project's budget. It holds at once; what it held is let in where there is room now."""
    with Client() as client:
        client.set_budget(project, amount, warn_percent=warn, rule=rule, stop=stop)
        _print([view for view in client.budgets() if view.budget.project == project], client)


@app.command()
def show(
    project: Annotated[str, typer.Argument(help="Leave out for every budget.")] = "", output: Output = Format.TABLE
) -> None:
    """Show a project's budget, or every one: what is spent of it this month, set aside and left."""
    with Client() as client:
        views = [view for view in client.budgets() if project in ("", view.budget.project)]
        show_data([_shown(view) for view in views], output, lambda: _print_all(project, views, client))
    if project and not views:
        raise typer.Exit(FAILED)


@app.command()
def remove(project: str) -> None:
    """Take a project's budget away. What it held is let in."""
    with Client() as client:
        client.remove_budget(project)
    out.print(f"project {project} has no budget", markup=False)


def _print_all(project: str, views: list[BudgetView], client: Client) -> None:
    if views:
        _print(views, client)
    else:
        out.print(f"project {project} has no budget" if project else "there is no budget", markup=False)


def _shown(view: BudgetView) -> dict[str, object]:
    shown = view.model_dump(mode="json")
    return {**shown.pop("budget"), **shown, "left": str(view.left)}


def _print(views: list[BudgetView], client: Client) -> None:
    # Nothing is cut off where the terminal is narrow, least of all an amount: what goes over lines is the rest.
    amounts = (number(head) for head in ("budget", "spent", "aside", "left"))
    table = Table(whole("project"), *amounts, Column("rule", no_wrap=True), "at limit", "warn at")
    for view in views:
        budget, unit = view.budget, client.settings.minor_unit
        row = (_rounded(one, unit) for one in (budget.amount, view.spent, view.set_aside, view.left))
        warning = f"{budget.warn_percent} %" + (", given" if view.warned else "") if budget.warn_percent else "none"
        table.add_row(budget.project, *row, budget.rule, "stop" if budget.stop else "refuse new jobs", warning)
    months = ", ".join(sorted({view.month for view in views}))
    table.caption = f"{months}; aside: worst cases of live jobs; amounts in {client.settings.currency}"
    out.print(table)


def _rounded(amount: Decimal, minor_unit: Decimal) -> str:
    return f"{amount.quantize(minor_unit)}"
