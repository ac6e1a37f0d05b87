"""Exact money. What has been counted is kept as price-minutes: minutes x units x hourly price, a decimal number.

An amount is price-minutes / 60, which need not end after any number of digits. So sums are made of price-minutes, and
an amount is rounded once, where it is shown or paid.
"""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Context, Decimal, Inexact
from fractions import Fraction

MINUTES_PER_HOUR = 60
# The digits of a whole nation's bill; a sum that would need more raises instead of losing one.
EXACT = Context(prec=100, traps=[Inexact])
# The price-minutes of the store's counters are whole numbers of this part.
COUNTER_PART = Decimal("0.000001")
# What an amount is shown to where it is not paid.
SHOWN_UNIT = Decimal("0.0001")


def total(parts: Iterable[Decimal]) -> Decimal:
    """The sum, exactly."""
    sum_ = Decimal(0)
    for part in parts:
        sum_ = EXACT.add(sum_, part)
    return sum_


def amount_of(price_minutes: Decimal) -> Fraction:
    """The exact amount, in the currency."""
    return Fraction(price_minutes) / MINUTES_PER_HOUR


def rounded(price_minutes: Decimal, unit: Decimal) -> Decimal:
    """The amount, rounded half up to a whole number of units, as of the currency's minor one ("0.01")."""
    wholes = (amount_of(price_minutes) / Fraction(unit) + Fraction(1, 2)).__floor__()
    return EXACT.multiply(unit, Decimal(wholes))
