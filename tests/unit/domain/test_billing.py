"""Commenced minutes, exactly."""

from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aitrain.domain.billing import LedgerLine, Terms, amount, commenced_minutes, month_end_ms, month_of


@pytest.mark.parametrize(
    ("elapsed_ms", "minutes"), [(0, 1), (100, 1), (59_999, 1), (60_000, 1), (60_001, 2), (60_100, 2), (120_000, 2)]
)
def test_each_commenced_minute_counts_whole(elapsed_ms: int, minutes: int) -> None:
    assert commenced_minutes(elapsed_ms) == minutes


def line(minutes: int, units: int, price: str) -> LedgerLine:
    return LedgerLine("j", 1, 0, minutes, 0, Terms("red", "x", units, Decimal(price), "h1"))


@pytest.mark.parametrize(
    ("minutes", "units", "price", "owed"),
    [
        (10 * 24 * 60, 2, "0.03", "14.40"),
        (5 * 60, 2, "1.93", "19.30"),
        (1, 1, "1.93", "0.03"),
        (1, 1, "0.30", "0.01"),  # 0.005, rounded half up
    ],
)
def test_worked_examples(minutes: int, units: int, price: str, owed: str) -> None:
    assert amount([line(minutes, units, price)]) == Decimal(owed)


@given(st.lists(st.tuples(st.integers(1, 50_000), st.integers(1, 12), st.integers(0, 10**11)), max_size=20))
def test_sums_never_drift(billed: list[tuple[int, int, int]]) -> None:
    """Against exact fractions; prices of six places, in millionths."""
    lines = [line(minutes, units, str(Decimal(price).scaleb(-6))) for minutes, units, price in billed]
    exact = sum((Fraction(minutes * units * price, 60 * 10**6) for minutes, units, price in billed), Fraction(0))
    assert abs(Fraction(amount(lines)) - exact) <= Fraction(1, 200)


@given(st.integers(0, 4_102_444_800_000))
def test_a_month_ends_where_the_next_begins(at_ms: int) -> None:
    end_ms = month_end_ms(at_ms)
    assert at_ms < end_ms
    assert month_of(at_ms) == month_of(end_ms - 1) < month_of(end_ms)
