"""How bills and ledger lines are written down: records of JSON, and rows of CSV that no spreadsheet runs as formulas.

Amounts are decimal text with a point. Those of groups and lines are shown to four digits; what is exact beside them is
price_minutes, the 60th part of which is the amount. Only the total is rounded to what is paid.
"""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

from aitrain.domain.bill import Bill, Group
from aitrain.domain.billing import BilledJob, LedgerLine, Policy, Terms
from aitrain.domain.job import moment
from aitrain.domain.money import SHOWN_UNIT, rounded

# What a spreadsheet takes for the beginning of a formula, and the apostrophe that says that it is none.
FORMULA_STARTS = "=+-@\t\r\n＝＋－＠'"


def guarded(text: str) -> str:
    """A text of a user's as a cell of CSV: an apostrophe goes before what would be a formula, or begins with one."""
    return f"'{text}" if text[:1] and text[0] in FORMULA_STARTS else text


def unguarded(cell: str) -> str:
    """The text that stood there before guarded()."""
    return cell.removeprefix("'")


def decimal_text(number: Decimal) -> str:
    """Without an exponent."""
    return f"{number:f}"


def shown(exact: Decimal) -> str:
    """The amount of price-minutes to four digits."""
    return decimal_text(rounded(exact, SHOWN_UNIT))


def time_text(ms: int) -> str:
    """Unix time in ms as ISO 8601, UTC."""
    return moment(ms).isoformat(timespec="milliseconds")


def bill_record(bill: Bill) -> dict[str, Any]:
    """A bill as JSON."""
    return {
        "project": bill.project,
        "month": bill.month,
        "state": bill.state,
        "as_of": time_text(bill.as_of_ms),
        "currency": bill.currency,
        "minor_unit": decimal_text(bill.minor_unit),
        "by": list(bill.by),
        "groups": [dict(zip(bill.by, group.values, strict=True)) | _figures(group) for group in bill.groups],
        "price_minutes": decimal_text(bill.price_minutes),
        "total": decimal_text(bill.total),
        "counter_differs": bill.counter_differs,
    }


def _figures(group: Group) -> dict[str, Any]:
    return {
        "lines": group.lines,
        "minutes": group.minutes,
        "unit_minutes": group.unit_minutes,
        "price_minutes": decimal_text(group.price_minutes),
        "begins": time_text(group.begins_ms),
        "ends": time_text(group.ends_ms),
        "amount": shown(group.price_minutes),
    }


def bill_rows(bill: Bill) -> Iterator[list[str]]:
    """A bill as CSV: its head, a row for each group, and the total as the last row, rounded to what is paid."""
    figures = ["lines", "minutes", "unit_minutes", "price_minutes", "begins", "ends", "amount"]
    yield ["row", "project", "month", "state", "currency", *bill.by, *figures]
    what = [bill.project, bill.month, bill.state, bill.currency]
    for group in bill.groups:
        values = [guarded(value or "") for value in group.values]
        yield ["group", *what, *values, *(str(value) for value in _figures(group).values())]
    sums = [str(sum(getattr(group, name) for group in bill.groups)) for name in figures[:3]]
    whole = decimal_text(bill.price_minutes)
    yield ["total", *what, *("" for _ in bill.by), *sums, whole, "", "", decimal_text(bill.total)]


def line_record(line: LedgerLine) -> dict[str, Any]:
    """A ledger line as JSON. The minutes are `first` and those that follow it; begins_ms: of the first."""
    terms = line.terms
    return {
        "kind": "line",
        "job": line.job_id,
        "attempt": line.attempt,
        "first": line.first,
        "minutes": line.minutes,
        "begins_ms": line.begins_ms,
        "price": decimal_text(terms.hourly_price),
        "flavor": terms.flavor,
        "units": terms.units,
        "policy": terms.policy,
        "host": terms.host,
    }


def line_of(record: dict[str, Any], project: str) -> LedgerLine:
    """The line of such a record. Raises ValueError or KeyError if it is none."""
    terms = Terms(
        project, str(record["flavor"]), int(record["units"]), Decimal(record["price"]), str(record["host"]),
        Policy(record["policy"]),
    )  # fmt: skip
    return LedgerLine(
        str(record["job"]), int(record["attempt"]), int(record["first"]), int(record["minutes"]),
        int(record["begins_ms"]), terms,
    )  # fmt: skip


def job_record(job_id: str, job: BilledJob) -> dict[str, Any]:
    """What is known of a billed job beside its lines, as JSON."""
    return {"kind": "job", "job": job_id, "name": job.name, "user": job.user, "labels": dict(job.labels)}


def job_of(record: dict[str, Any]) -> BilledJob:
    """What is known of the job of such a record. Raises ValueError, KeyError or the like if it is none."""
    return BilledJob(str(record["name"]), str(record["user"]), tuple(sorted(record["labels"].items())))


LINE_HEAD = [
    "job", "attempt", "first", "last", "minutes", "begins", "flavor", "units", "price", "policy", "host",
    "price_minutes", "amount",
]  # fmt: skip


def line_row(line: LedgerLine) -> list[str]:
    """A ledger line as a row of CSV, under LINE_HEAD. first, last: its minutes, counted from 0 in the attempt."""
    terms = line.terms
    exact = line.price_minutes
    return [
        line.job_id, str(line.attempt), str(line.first), str(line.first + line.minutes - 1), str(line.minutes),
        time_text(line.begins_ms), terms.flavor, str(terms.units), decimal_text(terms.hourly_price), terms.policy,
        guarded(terms.host), decimal_text(exact), shown(exact),
    ]  # fmt: skip
