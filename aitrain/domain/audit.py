"""What is wrong with a ledger: its lines against those that the jobs' histories owe. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from aitrain.domain.billing import LedgerLine, Price
from aitrain.domain.job import Job
from aitrain.domain.owed import billed_runs, lines_owed

# Where a line stands: month, job, attempt, first minute.
Place = tuple[str, str, int, int]


@dataclass(frozen=True)
class Difference:
    """One thing on which ledger and histories do not agree.

    job_id, attempt, first, last: which minutes of what; "" and 0 of a project's sum; ledger, owed: what stands, and
    what should.
    """

    project: str
    month: str
    job_id: str
    attempt: int
    first: int
    last: int
    ledger: str
    owed: str

    def __str__(self) -> str:
        what = f"job {self.job_id} attempt {self.attempt} minutes {self.first} to {self.last}" if self.job_id else "sum"
        return f"{self.project} {self.month}: {what}: the ledger has {self.ledger}, owed is {self.owed}"


@dataclass
class Audited:
    """How much an audit looked at. lines, minutes: of the ledger; jobs: of which the histories were read;
    without_history: lines of jobs that are deleted; differences: how many it found.
    """

    jobs: int = 0
    lines: int = 0
    minutes: int = 0
    without_history: int = 0
    differences: int = 0


def place_of(line: LedgerLine) -> Place:
    """Where a line stands."""
    return line.month, line.job_id, line.attempt, line.first


def expected(job: Job, prices: Sequence[Price]) -> dict[Place, LedgerLine]:
    """The lines that a job has in the ledger if all is right. prices: as for lines_owed.

    Of an attempt that still runs, those of the minutes that the job says are billed: what begins meanwhile, the next
    tick writes.
    """
    return {
        place_of(line): line
        for run in billed_runs(job)
        for line in lines_owed(job, run, prices, run.minutes if run.over else min(run.minutes, run.written))
    }


def differences(
    owed: Mapping[Place, LedgerLine], held: Mapping[Place, LedgerLine], project: str
) -> Iterator[Difference]:
    """Each line that is missing, or not as it should be, or not owed. held: what stands at least at those places."""
    for place in sorted(owed.keys() | held.keys()):
        right, stands = owed.get(place), held.get(place)
        if right != stands:
            month, job_id, attempt, first = place
            last = first + max(line.minutes for line in (right, stands) if line is not None) - 1
            yield Difference(project, month, job_id, attempt, first, last, *_told(stands, right))


def _told(stands: LedgerLine | None, right: LedgerLine | None) -> tuple[str, str]:
    """What stands and what should: of two lines, where they differ."""
    if stands is None or right is None:
        return _all(stands), _all(right)
    parts: dict[str, Callable[[LedgerLine], object]] = {
        "minutes": lambda line: line.minutes,
        "begin at": lambda line: line.begins_ms,
        "price": lambda line: line.terms.hourly_price,
        "flavor": lambda line: line.terms.flavor,
        "units": lambda line: line.terms.units,
        "policy": lambda line: line.terms.policy,
        "host": lambda line: line.terms.host,
    }
    differ = {name: part for name, part in parts.items() if part(stands) != part(right)}
    return _listed(stands, differ), _listed(right, differ)


def _listed(line: LedgerLine, parts: Mapping[str, Callable[[LedgerLine], object]]) -> str:
    return ", ".join(f"{name} {part(line)}" for name, part in parts.items())


def _all(line: LedgerLine | None) -> str:
    if line is None:
        return "none"
    terms = line.terms
    return f"{line.minutes} minutes of {terms.units} {terms.flavor} at {terms.hourly_price}"


def sum_difference(project: str, month: str, total: Decimal, before: Decimal, after: Decimal) -> Difference | None:
    """Whether a project's counter of a month is not the total of its lines (in price-minutes).

    before, after: the counter before the lines were read and after it: both only grow.
    """
    if before <= total <= after:
        return None
    return Difference(project, month, "", 0, 0, 0, f"{after / 60:f} in its counter", f"{total / 60:f} by its lines")
