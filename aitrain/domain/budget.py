"""Budgets: what a project's jobs may cost in a month. Pure rules; store/lua/shared/budget.lua enforces them.

The store counts in price minutes: minutes x units x hourly price, in millionths, so that every figure is whole.
"""

from __future__ import annotations

from decimal import ROUND_HALF_UP, Decimal
from enum import StrEnum

from pydantic import BaseModel, ConfigDict

from aitrain.domain.billing import commenced_minutes
from aitrain.domain.money import MINUTES_PER_HOUR

MILLIONTHS = 1_000_000
# Above this a script, whose numbers are doubles, would not count to the last unit.
MOST_AMOUNT = Decimal(100_000_000)


class BudgetRule(StrEnum):
    """What a new job is held against.

    refuse: its worst case has to be within what is left of the month; reserve: and within what the worst cases of all
    live jobs leave of that, so that jobs that were accepted cannot pass the limit together.
    """

    REFUSE = "refuse"
    RESERVE = "reserve"


class Budget(BaseModel):
    """A project's budget for each month (UTC).

    amount: the limit, in the site's currency; warn_percent: of the amount, at which a warning is given, 0 for none;
    stop: at the limit what runs is stopped with its data pushed, and what waits is held.
    """

    model_config = ConfigDict(frozen=True)

    project: str
    amount: Decimal
    warn_percent: int = 80
    rule: BudgetRule = BudgetRule.REFUSE
    stop: bool = False


class BudgetView(BaseModel):
    """A budget and how it stands in the month that it is. Amounts in the site's currency, exact.

    set_aside: the most that live jobs may yet cost, with the rule reserve; warned: this month's warning was given.
    """

    model_config = ConfigDict(frozen=True)

    budget: Budget
    month: str
    spent: Decimal
    set_aside: Decimal
    warned: bool

    @property
    def left(self) -> Decimal:
        """What new jobs may cost."""
        return max(Decimal(0), self.budget.amount - self.spent - self.set_aside)


def price_minutes(amount: Decimal) -> int:
    """An amount as the store counts it."""
    return int(amount * MINUTES_PER_HOUR * MILLIONTHS)


def to_amount(counted: int) -> Decimal:
    """The amount of what the store counted, to a millionth."""
    return (Decimal(counted) / (MINUTES_PER_HOUR * MILLIONTHS)).quantize(Decimal("0.000001"), ROUND_HALF_UP)


def worst_case(units: int, timeout_s: int, hourly_price: Decimal, *, beyond_ms: int = 0, billed: int = 0) -> int | None:
    """The most that an attempt may yet cost, in price minutes; None if that has no bound.

    timeout_s: 0 for none; beyond_ms: for how long it may run beyond that; billed: minutes of it in the ledger.
    """
    if not hourly_price:
        return 0
    if not timeout_s:
        return None
    minutes = max(0, commenced_minutes(timeout_s * 1000 + beyond_ms) - billed)
    return int(minutes * units * hourly_price * MILLIONTHS)


def fits(budget: Budget, *, spent: int, set_aside: int, asked: int) -> bool:
    """Whether a job that may cost `asked` is within what is left. All in price minutes; set_aside: of other jobs."""
    aside = set_aside if budget.rule is BudgetRule.RESERVE else 0
    return not asked or spent + aside + asked <= price_minutes(budget.amount)
