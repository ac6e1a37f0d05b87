"""Commenced minutes, exactly."""

from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aitrain.domain.billing import LedgerRow, Terms, amount, commenced_minutes, rows_due

TERMS = Terms("red", "v100s", 1, Decimal("1.93"), "h1")


@pytest.mark.parametrize(
    ("elapsed_ms", "minutes"), [(0, 1), (100, 1), (59_999, 1), (60_000, 1), (60_001, 2), (60_100, 2), (120_000, 2)]
)
def test_each_commenced_minute_counts_whole(elapsed_ms: int, minutes: int) -> None:
    assert commenced_minutes(elapsed_ms) == minutes


def rows(minutes: int, units: int, price: str) -> list[LedgerRow]:
    terms = Terms("red", "x", units, Decimal(price), "h1")
    return rows_due(job_id="j", attempt=1, started_ms=0, elapsed_ms=minutes * 60_000, written=0, terms=terms)


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
    assert amount(rows(minutes, units, price)) == Decimal(owed)


def test_a_minute_belongs_to_the_month_in_which_it_began() -> None:
    last_second_of_november = 1_796_083_199_000
    owed = rows_due(
        job_id="j", attempt=1, started_ms=last_second_of_november, elapsed_ms=90_000, written=0, terms=TERMS
    )
    assert [row.month for row in owed] == ["2026-11", "2026-12"]


@given(st.lists(st.integers(0, 10_000_000), min_size=1, max_size=20), st.integers(0, 10_000_000))
def test_ticks_may_be_missed_doubled_and_late(ticks: list[int], end: int) -> None:
    """Whatever ticks were seen, the ledger equals that of the whole stretch."""
    written: dict[int, LedgerRow] = {}
    for seen in [*sorted(min(tick, end) for tick in ticks), end]:
        for row in rows_due(job_id="j", attempt=1, started_ms=5, elapsed_ms=seen, written=len(written), terms=TERMS):
            assert row.minute not in written
            written[row.minute] = row
    whole = rows_due(job_id="j", attempt=1, started_ms=5, elapsed_ms=end, written=0, terms=TERMS)
    assert list(written.values()) == whole
    exact = Fraction(193, 100) * len(whole) / 60
    assert abs(Fraction(amount(whole)) - exact) <= Fraction(1, 200)
