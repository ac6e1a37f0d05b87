"""Budgets as pure rules: the worst case of a job, and whether it fits."""

from __future__ import annotations

from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from aitrain.domain.budget import Budget, BudgetRule, fits, price_minutes, to_amount, worst_case

PRICE = Decimal("0.60")  # 0.01 a minute


def test_the_worst_case_is_units_times_timeout_times_price() -> None:
    assert worst_case(2, 3600, PRICE) == price_minutes(Decimal("1.20"))
    assert worst_case(1, 61, PRICE) == price_minutes(Decimal("0.02")), "each commenced minute counts"
    assert worst_case(1, 60, PRICE, beyond_ms=60_000) == price_minutes(Decimal("0.02"))
    assert worst_case(1, 600, PRICE, billed=4) == price_minutes(Decimal("0.06"))
    assert worst_case(1, 60, PRICE, billed=9) == 0


def test_without_a_timeout_only_what_is_free_has_a_bound() -> None:
    assert worst_case(1, 0, PRICE) is None
    assert worst_case(1, 0, Decimal(0)) == 0


def test_the_rules_differ_in_what_is_set_aside() -> None:
    refuse = Budget(project="red", amount=Decimal(1), rule=BudgetRule.REFUSE)
    reserve = refuse.model_copy(update={"rule": BudgetRule.RESERVE})
    half = price_minutes(Decimal("0.50"))
    assert fits(refuse, spent=0, set_aside=half, asked=2 * half)
    assert not fits(reserve, spent=0, set_aside=half, asked=half + 1)
    assert fits(reserve, spent=0, set_aside=half, asked=half)
    assert fits(refuse, spent=5 * half, set_aside=0, asked=0), "what is free fits always"


@given(st.decimals(0, 100_000_000, places=6))
def test_amounts_come_back(amount: Decimal) -> None:
    assert to_amount(price_minutes(amount)) == amount
