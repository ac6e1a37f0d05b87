"""Bills: groups that share a whole, exact sums, one rounding, and forms that can be read back."""

from __future__ import annotations

import csv
import io
import json
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aitrain.domain.bill import Bill, BillState, Grouping, Tally, bill_of, split_by_day
from aitrain.domain.billforms import bill_record, bill_rows, guarded, line_of, line_record, shown, unguarded
from aitrain.domain.billing import MINUTE_MS, BilledJob, LedgerLine, Policy, Terms
from aitrain.domain.errors import InvalidInput
from aitrain.domain.money import rounded
from aitrain.domain.months import checked_month, day_of, end_ms

NOVEMBER_MS = 1_793_491_200_000
PRICES = [Decimal("0.03"), Decimal("1.93"), Decimal("2.80"), Decimal("0.000001"), Decimal("7"), Decimal("0")]
USERS = ["ann", "bob", "", "=cmd|' /C calc'!A0", "'quoted", 'ünal, jr. "x"', "+1", "line\nbreak"]
DIMENSIONS = ["project", "flavor", "user", "job", "name", "host", "day", "policy", "price", "label:team"]

jobs = {
    f"job-{number}": BilledJob(f"name-{number % 3}", user, (("team", "a"),) if number % 2 else ())
    for number, user in enumerate(USERS)
}
terms = st.builds(
    Terms,
    st.just("red"), st.sampled_from(["v100s", "cpu"]), st.integers(1, 12), st.sampled_from(PRICES),
    st.sampled_from(["h1", "h2"]), st.sampled_from(Policy),
)  # fmt: skip
a_line = st.builds(
    LedgerLine,
    st.sampled_from(sorted(jobs)), st.integers(1, 3), st.integers(0, 50_000), st.integers(1, 40_000),
    st.integers(NOVEMBER_MS, NOVEMBER_MS + 30 * 86_400_000), terms,
)  # fmt: skip
lines = st.lists(a_line, max_size=10)
quick = settings(max_examples=50, deadline=None)
groupings = st.lists(st.sampled_from(DIMENSIONS), unique=True, max_size=3)


def bill(found: list[LedgerLine], *by: str, unit: str = "0.01") -> Bill:
    tally = Tally(Grouping.of(by))
    for line in found:
        tally.add(line, jobs.get(line.job_id, BilledJob()))
    whole = sum((line.price_minutes for line in found), Decimal(0))
    return bill_of(
        tally, project="red", month="2026-11", state=BillState.FINAL, as_of_ms=0, counted=(whole, whole),
        currency="EUR", minor_unit=Decimal(unit),
    )  # fmt: skip


def line(
    minutes: int, units: int = 1, price: str = "1.93", begins_ms: int = NOVEMBER_MS, flavor: str = "v100s"
) -> LedgerLine:
    return LedgerLine("job-0", 1, 0, minutes, begins_ms, Terms("red", flavor, units, Decimal(price), "h1"))


@pytest.mark.parametrize(
    ("minutes", "units", "price", "owed"),
    [
        (10 * 24 * 60, 2, "0.03", "14.40"),
        (5 * 60, 2, "1.93", "19.30"),
        (1, 1, "1.93", "0.03"),
        (1, 1, "0.30", "0.01"),  # 0.005, rounded half up
        (1, 1, "0.299999", "0.00"),
    ],
)
def test_worked_examples(minutes: int, units: int, price: str, owed: str) -> None:
    assert bill([line(minutes, units, price)], "flavor").total == Decimal(owed)


def test_parts_that_round_to_nothing_add_up_to_something() -> None:
    """Ten jobs of 0.004 each are 0.04, though each alone is 0.00: the rounding comes last."""
    found = [LedgerLine(f"job-{n}", 1, 0, 1, NOVEMBER_MS, line(1, price="0.24").terms) for n in range(10)]
    by_job = bill(found, "job")
    assert {shown(group.price_minutes) for group in by_job.groups} == {"0.0040"}
    assert by_job.total == Decimal("0.04")


@quick
@given(lines, groupings)
def test_whatever_it_is_grouped_by_the_groups_share_the_whole(found: list[LedgerLine], by: list[str]) -> None:
    whole = bill(found)
    grouped = bill(found, *by)
    assert (grouped.total, grouped.price_minutes) == (whole.total, whole.price_minutes)
    assert not grouped.counter_differs
    assert sum(group.minutes for group in grouped.groups) == sum(line.minutes for line in found)
    assert sum(group.unit_minutes for group in grouped.groups) == sum(x.minutes * x.terms.units for x in found)
    assert len({group.values for group in grouped.groups}) == len(grouped.groups)


@quick
@given(lines, st.sampled_from(["0.01", "1", "0.001", "0.05"]))
def test_sums_never_drift(found: list[LedgerLine], unit: str) -> None:
    """Against the same sum in fractions, minute by minute price."""
    exact = sum((Fraction(x.terms.hourly_price) * x.minutes * x.terms.units / 60 for x in found), Fraction(0))
    owed = bill(found, "job", unit=unit).total
    assert Fraction(owed) % Fraction(unit) == 0
    assert -Fraction(unit) / 2 < Fraction(owed) - exact <= Fraction(unit) / 2, "half up"


@quick
@given(a_line)
def test_a_line_is_cut_where_days_begin(whole: LedgerLine) -> None:
    parts = list(split_by_day(whole))
    done = 0
    for part in parts:
        assert (part.first, part.begins_ms) == (whole.first + done, whole.begins_ms + done * MINUTE_MS)
        assert day_of(part.begins_ms) == day_of(part.begins_ms + (part.minutes - 1) * MINUTE_MS)
        done += part.minutes
    assert done == whole.minutes
    assert len({day_of(part.begins_ms) for part in parts}) == len(parts)


@quick
@given(lines, groupings)
def test_csv_and_json_say_what_the_bill_says(found: list[LedgerLine], by: list[str]) -> None:
    of_lines = bill(found, *by)
    record = json.loads(json.dumps(bill_record(of_lines)))
    assert (Decimal(record["total"]), Decimal(record["price_minutes"])) == (of_lines.total, of_lines.price_minutes)
    text = io.StringIO()
    csv.writer(text).writerows(bill_rows(of_lines))
    *groups, last = csv.DictReader(io.StringIO(text.getvalue(), newline=""))
    assert (last["row"], Decimal(last["amount"])) == ("total", of_lines.total)
    assert int(last["minutes"]) == sum(group.minutes for group in of_lines.groups)
    for group, row, of_json in zip(of_lines.groups, groups, record["groups"], strict=True):
        assert tuple(of_json[name] for name in by) == group.values
        assert [unguarded(row[name]) for name in by] == [value or "" for value in group.values]
        for read in (row, of_json):
            assert (int(read["minutes"]), int(read["lines"])) == (group.minutes, group.lines)
            assert Decimal(read["price_minutes"]) == group.price_minutes
            assert read["amount"] == shown(group.price_minutes)


@quick
@given(st.text())
def test_no_text_of_a_user_is_a_formula_and_none_is_lost(text: str) -> None:
    assert not guarded(text).startswith(("=", "+", "-", "@", "\t", "\r", "＝", "＋", "－", "＠"))
    assert unguarded(guarded(text)) == text


@quick
@given(lines)
def test_a_line_can_be_read_back_from_its_record(found: list[LedgerLine]) -> None:
    assert [line_of(json.loads(json.dumps(line_record(whole))), "red") for whole in found] == found


def test_a_counter_that_differs_is_told() -> None:
    tally = Tally(Grouping.of(["flavor"]))
    tally.add(line(10))
    for counted, differs in (
        (("0", "19.3"), False),
        (("19.3", "30"), False),
        (("0", "19"), True),
        (("20", "30"), True),
    ):
        of_lines = bill_of(
            tally, project="red", month="2026-11", state=BillState.RUNNING, as_of_ms=0,
            counted=(Decimal(counted[0]), Decimal(counted[1])), currency="EUR", minor_unit=Decimal("0.01"),
        )  # fmt: skip
        assert of_lines.counter_differs is differs


@pytest.mark.parametrize("by", [["colour"], ["label:"], ["label:-x"], ["day", "day"]])
def test_what_a_bill_cannot_be_grouped_by(by: list[str]) -> None:
    with pytest.raises(InvalidInput):
        Grouping.of(by)


def test_months() -> None:
    assert (end_ms("2026-10"), end_ms("2026-12")) == (NOVEMBER_MS, 1_798_761_600_000)
    for wrong in ("2026-13", "26-11", "2026-1", "2026-11-01", "", "2026-11\n"):
        with pytest.raises(InvalidInput):
            checked_month(wrong)


@quick
@given(st.decimals(0, 10**9, places=6), st.sampled_from(["0.01", "0.0001", "1"]))
def test_rounding_is_half_up(price_minutes: Decimal, unit: str) -> None:
    owed, step = Fraction(rounded(price_minutes, Decimal(unit))), Fraction(unit)
    assert owed - step / 2 <= Fraction(price_minutes) / 60 < owed + step / 2
