"""What a job owes, against the same thing counted minute by minute."""

from decimal import Decimal
from itertools import groupby

from hypothesis import given
from hypothesis import strategies as st

from aitrain.domain.billing import MINUTE_MS, LedgerLine, Policy, Price, Terms, month_of
from aitrain.domain.flavor import Kind
from aitrain.domain.job import Job
from aitrain.domain.owed import BilledRun, lines_owed
from aitrain.domain.spec import JobSpec
from aitrain.domain.states import InfoCode, State

FEBRUARY_MS = 1_801_440_000_000
HOUR_MS = 3_600_000


JOB = Job(
    id="j", spec=JobSpec.of(image="x"), state=State.DONE, attempt=1, fence="1.a", flavor="cpu", kind=Kind.CPU, units=1,
    priority=50, hourly_price=Decimal("0.03"), timeout_s=9, auto_restart=False, created_ms=0, state_ms=0,
    code=InfoCode.JOB_DONE,
)  # fmt: skip


def minute_by_minute(run: BilledRun, at_first: Decimal, prices: list[Price], minutes: int) -> list[LedgerLine]:
    def terms_of(minute: int) -> tuple[str, str]:
        begins_ms = run.started_ms + minute * MINUTE_MS
        known = [price.hourly_price for price in prices if price.from_ms <= begins_ms]
        return month_of(begins_ms), str(known[-1] if known else at_first)

    lines = []
    for (_, price), group in groupby(range(minutes), terms_of):
        of_line = list(group)
        terms = Terms("default", "cpu", 1, Decimal(price), "h1", run.policy)
        begins_ms = run.started_ms + of_line[0] * MINUTE_MS
        lines.append(LedgerLine("j", run.attempt, of_line[0], len(of_line), begins_ms, terms))
    return lines


@given(
    started_ms=st.integers(FEBRUARY_MS - HOUR_MS, FEBRUARY_MS + HOUR_MS),
    ran_ms=st.integers(0, 2 * HOUR_MS),
    changes=st.lists(st.tuples(st.integers(-2 * HOUR_MS, 3 * HOUR_MS), st.integers(0, 3)), max_size=5),
)
def test_lines_are_the_minutes_that_follow_each_other(
    started_ms: int, ran_ms: int, changes: list[tuple[int, int]]
) -> None:
    run = BilledRun(1, "h1", Policy.RUNNING, started_ms, started_ms, ran_ms, 0, over=True)
    prices = [Price(FEBRUARY_MS + at, Decimal(cents).scaleb(-2)) for at, cents in sorted(dict(changes).items())]
    owed = lines_owed(JOB, run, prices, run.minutes)
    assert owed == minute_by_minute(run, JOB.hourly_price, prices, run.minutes)
