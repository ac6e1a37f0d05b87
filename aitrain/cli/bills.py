"""Commands on bills: what projects owe, the ledger behind it, and months that leave the store."""

from __future__ import annotations

import csv
import json
import sys
from collections.abc import Iterable
from enum import StrEnum
from io import TextIOWrapper
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table
from rich.text import Text

from aitrain.cli.columns import job_id, number, whole
from aitrain.cli.following import user
from aitrain.cli.output import Format, out, printable
from aitrain.cli.output import show as show_data
from aitrain.cli.refs import HELP, found_or_same
from aitrain.client import Client
from aitrain.domain.bill import Bill, BillState
from aitrain.domain.billforms import (
    LINE_HEAD,
    bill_record,
    bill_rows,
    decimal_text,
    line_record,
    line_row,
    shown,
    time_text,
)
from aitrain.domain.billing import LedgerLine
from aitrain.domain.job import moment
from aitrain.domain.money import rounded

STATE_WORDS = {
    BillState.RUNNING: "running: minutes may still be added",
    BillState.FINAL: "final",
    BillState.PRUNED: "pruned: its lines are in the export of the ledger that was made then",
}


class Output(StrEnum):
    """How something is printed."""

    TABLE = "table"
    CSV = "csv"
    JSON = "json"
    YAML = "yaml"


PROGRAMS = (Output.JSON, Output.YAML)

Project = Annotated[str, typer.Option(help="Whose.")]
Month = Annotated[str | None, typer.Option(help="As 2026-11, in UTC; the current one if left out.")]
As = Annotated[Output, typer.Option("--output", "-o", help="As a table, as CSV, as JSON or as YAML.")]
By = Annotated[
    list[str] | None,
    typer.Option(help="flavor, user, job, name, host, day, policy, price or label:KEY; may be given again."),
]


def show(project: Project = "default", month: Month = None, by: By = None, output: As = Output.TABLE) -> None:
    """Show a project's bill. The total is rounded once; what its parts cost is shown to four digits."""
    with Client() as client:
        bill = client.bill(project, month, by=by or ["flavor"])
    if output in PROGRAMS:
        _data(bill_record(bill), output)
    elif output is Output.CSV:
        _write_csv(bill_rows(bill))
    else:
        _print_bill(bill)


def rows(
    project: Project = "default",
    month: Month = None,
    job: Annotated[str | None, typer.Option(help=f"Of this job only. {HELP}")] = None,
    output: As = Output.TABLE,
) -> None:
    """Show the ledger lines behind a bill: stretches of minutes of one attempt, counted from 0.

    JSON: one a line; YAML: a list.
    """
    with Client() as client:
        lines = client.bill_lines(project, month, job_id=None if job is None else found_or_same(client, job))
        if output is Output.JSON:
            for line, _ in lines:
                sys.stdout.write(json.dumps(line_record(line)) + "\n")
        elif output is Output.YAML:
            _data([line_record(line) for line, _ in lines], output)
        elif output is Output.CSV:
            _write_csv(row for some in ([LINE_HEAD], (line_row(line) for line, _ in lines)) for row in some)
        else:
            _print_lines(line for line, _ in lines)


def export(file: Path, month: Annotated[str, typer.Option(help="As 2026-11.")], project: Project = "default") -> None:
    """Write a month's ledger to a file, once the bill is final. A file that is there is never written over."""
    with Client() as client:
        sums = client.export_ledger(project, month, file)
    out.print(
        f"{file}: {sums.lines} lines of {sums.jobs} jobs, {sums.minutes} minutes; sha256 {sums.sha256}",
        markup=False, soft_wrap=True,
    )  # fmt: skip


def prune(
    month: Annotated[str, typer.Option(help="As 2026-11.")],
    export: Annotated[Path, typer.Option(help="The export of this month. It is compared with the store first.")],
    project: Project = "default",
) -> None:
    """Remove a month's ledger from the store that was exported. What it came to stays."""
    with Client() as client:
        pruned = client.prune_ledger(project, month, export, by=user())
    out.print(f"{project} {month}: {pruned.lines} lines removed; keep {export}", markup=False, soft_wrap=True)


def usage(
    project: Annotated[str | None, typer.Option(help="Of this project only.")] = None,
    month: Month = None,
    output: As = Output.TABLE,
) -> None:
    """Show what projects owe for the month so far, up to the last minute that was billed."""
    with Client() as client:
        used = client.usage(month)
    projects = {name: exact for name, exact in used.projects.items() if project in (None, name)}
    head = ["project", "month", "currency", "price_minutes", "amount"]
    found = [
        [name, used.month, used.currency, decimal_text(exact), decimal_text(used.amount(name))]
        for name, exact in projects.items()
    ]
    if output in PROGRAMS:
        _data([dict(zip(head, row, strict=True)) for row in found], output)
    elif output is Output.CSV:
        _write_csv([head, *found])
    else:
        out.print(f"{used.month}, as of {moment(used.as_of_ms):%Y-%m-%d %H:%M} UTC")
        table = Table(whole("project"), number(f"{used.currency}, four digits"), number(used.currency))
        for owing, exact in projects.items():
            table.add_row(owing, shown(exact), decimal_text(used.amount(owing)))
        if project is None:
            table.caption = f"total {used.total} {used.currency}"
        out.print(table)


def prices(output: As = Output.TABLE) -> None:
    """Show what one unit of each flavor costs an hour, for minutes that begin from when on."""
    with Client() as client:
        flavors, currency = client.prices(), client.settings.currency
    head = ["flavor", "currency", "hourly_price", "from", "catalogue"]
    found = []
    for flavor in flavors:
        catalogue = "" if flavor.catalogue is None else decimal_text(flavor.catalogue)
        for price in flavor.told:
            told = [decimal_text(price.hourly_price), time_text(price.from_ms)]
            found.append([flavor.flavor, currency, *told, catalogue])
        if not flavor.told:
            found.append([flavor.flavor, currency, "", "", catalogue])
    if output in PROGRAMS:
        _data([dict(zip(head, row, strict=True)) for row in found], output)
    elif output is Output.CSV:
        _write_csv([head, *found])
    else:
        table = Table("flavor", number(f"{currency}/h"), "from (UTC)", number("in the catalogue"))
        for flavor_name, _, hourly, since, catalogue in found:
            begins = since.partition(".")[0].replace("T", " ")
            table.add_row(flavor_name, hourly or "not told yet", begins, catalogue or "gone")
        out.print(table)


def _data(data: Any, output: Output) -> None:
    show_data(data, Format(output.value), lambda: None)


def _print_bill(bill: Bill) -> None:
    numbers = (number(head) for head in ("lines", "minutes", "unit-min", "amount"))
    table = Table(*map(whole, bill.by), *numbers, title=f"project {bill.project}, {bill.month}")
    for group in bill.groups:
        values = (Text("none", "dim") if value is None else Text(printable(value)) for value in group.values)
        table.add_row(
            *values, str(group.lines), str(group.minutes), str(group.unit_minutes), shown(group.price_minutes)
        )
    table.caption = f"total {rounded(bill.price_minutes, bill.minor_unit)} {bill.currency}"
    out.print(table)
    out.print(STATE_WORDS[bill.state])
    if bill.counter_differs:
        out.print("the lines do not add up to what was counted when they were written: see `aitrain bill audit`")


def _print_lines(lines: Iterable[LedgerLine]) -> None:
    """Nothing of them is cut off where the terminal is narrow, least of all an amount: what folds is not read."""
    heads = ("attempt", "minutes", "begins", "units", "price", "amount")
    table = Table(whole("job"), *map(number, heads), whole("host"))
    for line in sorted(lines, key=lambda one: (one.job_id, one.attempt, one.first)):
        terms = line.terms
        table.add_row(
            job_id(line.job_id), str(line.attempt), f"{line.first}-{line.first + line.minutes - 1}",
            f"{moment(line.begins_ms):%m-%d %H:%M}", f"{terms.units} {terms.flavor}",
            decimal_text(terms.hourly_price), shown(line.price_minutes), terms.host,
        )  # fmt: skip
    out.print(table)


def _write_csv(found: Iterable[list[str]]) -> None:
    """UTF-8, whatever the locale says; numbers have a decimal point."""
    if isinstance(sys.stdout, TextIOWrapper):
        sys.stdout.reconfigure(encoding="utf-8", newline="\n")
    csv.writer(_Lines(), lineterminator="\r\n").writerows(found)


class _Lines:
    """Ends lines as others do here. The writer has to think of both characters: it quotes only what holds one of its
    own, and a bare return would begin a row, whose first cell could be a formula.
    """

    @staticmethod
    def write(row: str) -> int:
        return sys.stdout.write(row.removesuffix("\r\n") + "\n")
