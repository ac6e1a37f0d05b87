"""Billing: from stretches of time to minutes, from minutes to ledger rows, from rows to an amount.

Time is billed from timestamps, never from ticks: whatever writes rows asks `rows_due` what a job's times owe and what
of it is not yet written. Rules: design of the ledger in docs/explanation.md; each commenced minute counts whole.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import ROUND_HALF_UP, Decimal
from enum import StrEnum

MINUTE_MS = 60_000
MINUTES_PER_HOUR = 60


class Policy(StrEnum):
    """Which stretch of a job's life is billed."""

    RUNNING = "running"


@dataclass(frozen=True)
class Terms:
    """At what a minute is billed. hourly_price: of one unit for one hour, in the site's currency."""

    project: str
    flavor: str
    units: int
    hourly_price: Decimal
    host: str
    policy: Policy = Policy.RUNNING


@dataclass(frozen=True)
class LedgerRow:
    """One billed minute. Unique by (job, attempt, minute); minute counts from 0; begins_ms: Unix time, ms."""

    job_id: str
    attempt: int
    minute: int
    begins_ms: int
    terms: Terms

    @property
    def month(self) -> str:
        """The month (UTC) in which the minute began, as "2026-11"."""
        return datetime.fromtimestamp(self.begins_ms / 1000, UTC).strftime("%Y-%m")


@dataclass(frozen=True)
class LedgerLine:
    """Minutes of an attempt one after another, billed alike and begun in one month. first: counted from 0."""

    job_id: str
    attempt: int
    first: int
    minutes: int
    begins_ms: int
    terms: Terms


def commenced_minutes(elapsed_ms: int) -> int:
    """Minutes that have begun after elapsed_ms of a started clock: 100 ms is 1, 60,000 ms is 1, 60,100 ms is 2.

    A clock that has started owes its first minute at once, so 0 ms is 1.
    """
    return max(1, -(-elapsed_ms // MINUTE_MS))


def rows_due(
    *, job_id: str, attempt: int, started_ms: int, elapsed_ms: int, written: int, terms: Terms
) -> list[LedgerRow]:
    """The rows that elapsed_ms of running owes and that are not among the `written` first ones."""
    return [
        LedgerRow(job_id, attempt, minute, started_ms + minute * MINUTE_MS, terms)
        for minute in range(written, commenced_minutes(elapsed_ms))
    ]


def amount(rows: Iterable[LedgerRow], minor_unit: Decimal = Decimal("0.01")) -> Decimal:
    """minutes x units x hourly price / 60, summed exactly and rounded once, half up to the currency's minor unit."""
    price_minutes = sum((row.terms.hourly_price * row.terms.units for row in rows), Decimal(0))
    return (price_minutes / MINUTES_PER_HOUR).quantize(minor_unit, rounding=ROUND_HALF_UP)
