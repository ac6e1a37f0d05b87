"""Bills: the ledger lines of a project and a month, grouped, summed exactly and rounded once.

Lines are taken one by one, and only the groups are kept. (Who reads them from the store keeps their names, too, so as
to meet each once: some 130 bytes a line.)
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from enum import StrEnum

from aitrain.domain.billing import MINUTE_MS, BilledJob, LedgerLine
from aitrain.domain.errors import InvalidInput
from aitrain.domain.money import EXACT, rounded, total
from aitrain.domain.months import day_of
from aitrain.domain.spec import LABEL

DAY_MS = 86_400_000


UNKNOWN = BilledJob()

_LINE_VALUES: dict[str, Callable[[LedgerLine], str]] = {
    "project": lambda line: line.terms.project,
    "flavor": lambda line: line.terms.flavor,
    "job": lambda line: line.job_id,
    "host": lambda line: line.terms.host,
    "day": lambda line: day_of(line.begins_ms),
    "policy": lambda line: line.terms.policy,
    "price": lambda line: str(line.terms.hourly_price),
}
_JOB_VALUES: dict[str, Callable[[BilledJob], str]] = {"user": lambda job: job.user, "name": lambda job: job.name}
LABEL_PREFIX = "label:"


@dataclass(frozen=True)
class Grouping:
    """By what a bill is grouped: one or more of project, flavor, user, job, name, host, day (UTC), policy, price and
    label:KEY.
    """

    by: tuple[str, ...]

    @classmethod
    def of(cls, by: Sequence[str]) -> Grouping:
        """Raises InvalidInput for what a bill cannot be grouped by."""
        known = [*_LINE_VALUES, *_JOB_VALUES]
        for name in by:
            is_label = name.startswith(LABEL_PREFIX) and LABEL.fullmatch(name.removeprefix(LABEL_PREFIX))
            if name not in known and not is_label:
                raise InvalidInput.of("by", name, "is nothing to group by", f"use {', '.join(known)} or label:KEY")
        if len(set(by)) < len(by):
            raise InvalidInput.of("by", ", ".join(by), "names one thing twice", "name it once")
        return cls(tuple(by))

    @property
    def asks_jobs(self) -> bool:
        """Whether what is known of the jobs is needed beside the lines."""
        return any(name not in _LINE_VALUES for name in self.by)

    def parts(self, line: LedgerLine) -> Iterator[LedgerLine]:
        """A line as it is, or cut where days begin if they matter."""
        return split_by_day(line) if "day" in self.by else iter((line,))

    def values(self, line: LedgerLine, job: BilledJob) -> tuple[str | None, ...]:
        """The group to which a line belongs. None: the job has no such label."""
        return tuple(self._value(name, line, job) for name in self.by)

    @staticmethod
    def _value(name: str, line: LedgerLine, job: BilledJob) -> str | None:
        if (of_line := _LINE_VALUES.get(name)) is not None:
            return of_line(line)
        if (of_job := _JOB_VALUES.get(name)) is not None:
            return of_job(job)
        return dict(job.labels).get(name.removeprefix(LABEL_PREFIX))


def split_by_day(line: LedgerLine) -> Iterator[LedgerLine]:
    """The line, cut so that the minutes of each part begin on one day (UTC)."""
    done = 0
    while done < line.minutes:
        begins_ms = line.begins_ms + done * MINUTE_MS
        left_of_day = -(-(DAY_MS - begins_ms % DAY_MS) // MINUTE_MS)
        minutes = min(left_of_day, line.minutes - done)
        yield replace(line, first=line.first + done, minutes=minutes, begins_ms=begins_ms)
        done += minutes


@dataclass(frozen=True)
class Group:
    """One group of a bill.

    values: in the order of the bill's `by`, None where a job has no such label; lines: of the ledger; minutes, and
    unit_minutes: minutes x units; price_minutes: unit-minutes x hourly price, exactly: the amount is the 60th part;
    begins_ms, ends_ms: when the first of the minutes began and the last one ends, Unix time.
    """

    values: tuple[str | None, ...]
    lines: int
    minutes: int
    unit_minutes: int
    price_minutes: Decimal
    begins_ms: int
    ends_ms: int


class _Sums:
    __slots__ = ("begins_ms", "ends_ms", "lines", "minutes", "price_minutes", "unit_minutes")

    def __init__(self, begins_ms: int) -> None:
        self.lines = self.minutes = self.unit_minutes = 0
        self.price_minutes = Decimal(0)
        self.begins_ms = self.ends_ms = begins_ms

    def add(self, line: LedgerLine) -> None:
        unit_minutes = line.minutes * line.terms.units
        self.lines += 1
        self.minutes += line.minutes
        self.unit_minutes += unit_minutes
        self.price_minutes = EXACT.add(self.price_minutes, line.price_minutes)
        self.begins_ms = min(self.begins_ms, line.begins_ms)
        self.ends_ms = max(self.ends_ms, line.begins_ms + line.minutes * MINUTE_MS)


class Tally:
    """Adds lines up, by group."""

    def __init__(self, grouping: Grouping) -> None:
        self.grouping = grouping
        self._sums: dict[tuple[str | None, ...], _Sums] = {}

    def add(self, line: LedgerLine, job: BilledJob = UNKNOWN) -> None:
        """Counts a line. No line may be given twice."""
        for part in self.grouping.parts(line):
            values = self.grouping.values(part, job)
            sums = self._sums.get(values)
            if sums is None:
                sums = self._sums[values] = _Sums(part.begins_ms)
            sums.add(part)

    def groups(self) -> tuple[Group, ...]:
        """The groups, in order of their values."""
        ordered = sorted(
            self._sums.items(), key=lambda item: tuple((value is not None, value or "") for value in item[0])
        )
        return tuple(
            Group(values, s.lines, s.minutes, s.unit_minutes, s.price_minutes, s.begins_ms, s.ends_ms)
            for values, s in ordered
        )


class BillState(StrEnum):
    """How a bill stands. RUNNING: minutes may be added; FINAL: none can be; PRUNED: its lines have left the store."""

    RUNNING = "running"
    FINAL = "final"
    PRUNED = "pruned"


@dataclass(frozen=True)
class Bill:
    """What a project owes for a month.

    as_of_ms: the store's time when it was asked; price_minutes: of the whole month, exactly; by, groups: they share the
    whole among them, and there are none of a pruned month; counter_differs: the lines do not add up to what was
    counted when they were written, and `aitrain bill audit` should be asked why.
    """

    project: str
    month: str
    state: BillState
    as_of_ms: int
    by: tuple[str, ...]
    groups: tuple[Group, ...]
    price_minutes: Decimal
    currency: str
    minor_unit: Decimal
    counter_differs: bool = False

    @property
    def total(self) -> Decimal:
        """What is to be paid: the whole, rounded once, half up to the currency's minor unit."""
        return rounded(self.price_minutes, self.minor_unit)


def bill_of(
    tally: Tally,
    *,
    project: str,
    month: str,
    state: BillState,
    as_of_ms: int,
    counted: tuple[Decimal, Decimal],
    currency: str,
    minor_unit: Decimal,
) -> Bill:
    """The bill of what was added up. counted: the price-minutes of the store's counter, before and after."""
    groups = tally.groups()
    whole = total(group.price_minutes for group in groups)
    differs = not counted[0] <= whole <= counted[1]
    return Bill(
        project, month, state, as_of_ms, tally.grouping.by, groups, whole, currency, minor_unit, differs
    )  # fmt: skip


@dataclass(frozen=True)
class Usage:
    """What every project of a site has used in a month so far, from the counters that are kept as minutes are billed.

    as_of_ms: the store's time when it was asked; projects: the price-minutes (see domain.money) of each, exactly.
    """

    month: str
    as_of_ms: int
    projects: dict[str, Decimal]
    currency: str
    minor_unit: Decimal

    def amount(self, project: str) -> Decimal:
        """What a project would have to pay if the month ended now."""
        return rounded(self.projects.get(project, Decimal(0)), self.minor_unit)

    @property
    def total(self) -> Decimal:
        """The sum of what the projects would have to pay: each has a bill of its own, and each is rounded once."""
        return total((rounded(Decimal(0), self.minor_unit), *map(self.amount, self.projects)))
