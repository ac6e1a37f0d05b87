"""What a job owes, as a pure function of its history and of the prices: the ledger must say the same.

The job store writes the ledger by the same rules (store/lua/shared/ledger.lua), in the scripts that move a job. Tests
and `aitrain bill audit` hold the two against each other.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from decimal import Decimal

from aitrain.domain.billing import (
    MINUTE_MS,
    LedgerLine,
    Policy,
    Price,
    Terms,
    commenced_minutes,
    month_end_ms,
)
from aitrain.domain.job import AttemptEnd, Job
from aitrain.domain.states import STATES, State


@dataclass(frozen=True)
class BilledRun:
    """What the bill of one attempt follows from. Times: Unix ms by the store's clock.

    started_ms: when its clock started; ran_ms: how long its container ran, by its host's clock; begun_ms: when that
    began; written: minutes that the job itself says are in the ledger; over: it does not run any more.
    """

    attempt: int
    host: str
    policy: Policy
    started_ms: int
    begun_ms: int
    ran_ms: int
    written: int
    over: bool

    @property
    def minutes(self) -> int:
        """Minutes that have begun since its clock started."""
        return commenced_minutes(self.begun_ms - self.started_ms + self.ran_ms)


def billed_runs(job: Job) -> list[BilledRun]:
    """The attempts of a job that reached RUNNING, oldest first."""
    runs = [_run(job, end, end.minutes, over=True) for end in job.earlier_attempts]
    runs.append(_run(job, job, job.billed_minutes, over=not STATES[job.state].runs))
    return [run for run in runs if run is not None]


def _run(job: Job, of: AttemptEnd | Job, written: int, *, over: bool) -> BilledRun | None:
    if of.begun_ms is None:
        return None
    came = {move.state: move.at_ms for move in job.history if move.attempt == of.attempt}
    clock = {Policy.INITIALIZING: came.get(State.INITIALIZING), Policy.PENDING: came.get(State.PENDING)}.get(of.policy)
    started_ms = of.begun_ms if clock is None else min(clock, of.begun_ms)
    return BilledRun(of.attempt, of.host, of.policy, started_ms, of.begun_ms, of.ran_ms, written, over)


def lines_owed(job: Job, run: BilledRun, prices: Sequence[Price], minutes: int) -> list[LedgerLine]:
    """The first so many minutes of a run as lines: one for each stretch of one month and one price.

    prices: of the job's flavor, oldest first. Before the first of them counts the price at which it was submitted.
    """
    lines: list[LedgerLine] = []
    first = 0
    while first < minutes:
        begins_ms = run.started_ms + first * MINUTE_MS
        price, until_ms = _price_at(job.hourly_price, prices, begins_ms)
        until_ms = min(until_ms or month_end_ms(begins_ms), month_end_ms(begins_ms))
        count = min(minutes - first, -((begins_ms - until_ms) // MINUTE_MS))
        terms = Terms(job.project, job.flavor, job.units, price, run.host, run.policy)
        line = LedgerLine(job.id, run.attempt, first, count, begins_ms, terms)
        if lines and lines[-1].month == line.month and str(lines[-1].terms.hourly_price) == str(price):
            lines[-1] = replace(lines[-1], minutes=lines[-1].minutes + count)
        else:
            lines.append(line)
        first += count
    return lines


def _price_at(at_first: Decimal, prices: Sequence[Price], at_ms: int) -> tuple[Decimal, int | None]:
    """The price of a minute that begins at a moment, and until when it counts; None: it is the last one."""
    price = at_first
    for entry in prices:
        if entry.from_ms > at_ms:
            return price, entry.from_ms
        price = entry.hourly_price
    return price, None


def owed(job: Job, prices: Sequence[Price]) -> list[LedgerLine]:
    """Every line that a job owes by now. prices: as for lines_owed."""
    return [line for run in billed_runs(job) for line in lines_owed(job, run, prices, run.minutes)]
