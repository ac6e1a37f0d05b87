"""Billing: from stretches of time to minutes, from minutes to ledger lines, from lines to an amount.

Time is billed from timestamps, never from ticks. The job store writes the lines itself, in the scripts that move a job
(store/lua/shared/ledger.lua); domain/owed.py says the same as a pure function of a job's history.
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
    """From when on an attempt is billed, if it ever runs: the start of its container, or the entry into a state."""

    RUNNING = "running"
    INITIALIZING = "initializing"
    PENDING = "pending"


@dataclass(frozen=True)
class Price:
    """What one unit of a flavor costs an hour, in the site's currency, for minutes that begin from from_ms on."""

    from_ms: int
    hourly_price: Decimal


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
class LedgerLine:
    """Minutes of an attempt that follow each other, in one month and at the same terms.

    first: its first minute; minutes count from 0, so that each is unique by (job, attempt, minute); minutes: how many;
    begins_ms: when the first one began, Unix ms by the store's clock.
    """

    job_id: str
    attempt: int
    first: int
    minutes: int
    begins_ms: int
    terms: Terms

    @property
    def month(self) -> str:
        """The month (UTC) in which its minutes began, as "2026-11"."""
        return month_of(self.begins_ms)

    @property
    def price_minutes(self) -> Decimal:
        """minutes x units x hourly price: sixty times what it costs, exactly."""
        return self.minutes * self.terms.units * self.terms.hourly_price


@dataclass(frozen=True)
class BilledJob:
    """What the ledger keeps of a job of which it has lines, so that they can be grouped when the job is deleted."""

    name: str = ""
    user: str = ""
    labels: tuple[tuple[str, str], ...] = ()


def month_of(at_ms: int) -> str:
    """The month (UTC) of a moment in Unix ms, as "2026-11"."""
    return datetime.fromtimestamp(at_ms / 1000, UTC).strftime("%Y-%m")


def month_end_ms(at_ms: int) -> int:
    """When the month (UTC) of a moment is over: the first moment of the next one, in Unix ms."""
    moment = datetime.fromtimestamp(at_ms // 1000, UTC)
    years, month = divmod(moment.month, 12)
    return int(datetime(moment.year + years, month + 1, 1, tzinfo=UTC).timestamp()) * 1000


def commenced_minutes(elapsed_ms: int) -> int:
    """Minutes that have begun after elapsed_ms of a started clock: 100 ms is 1, 60,000 ms is 1, 60,100 ms is 2.

    A clock that has started owes its first minute at once, so 0 ms is 1.
    """
    return max(1, -(-elapsed_ms // MINUTE_MS))


def amount(lines: Iterable[LedgerLine], minor_unit: Decimal = Decimal("0.01")) -> Decimal:
    """minutes x units x hourly price / 60, summed exactly and rounded once, half up to the currency's minor unit."""
    price_minutes = sum((line.price_minutes for line in lines), Decimal(0))
    return (price_minutes / MINUTES_PER_HOUR).quantize(minor_unit, rounding=ROUND_HALF_UP)
