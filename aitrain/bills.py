"""Bills: reading what projects owe, and taking months out of the store: a part of the client."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from aitrain.domain.billing import BilledJob, LedgerLine, Price
from aitrain.domain.checked import checked_project
from aitrain.domain.errors import InvalidInput
from aitrain.domain.months import checked_month, end_ms
from aitrain.settings import Settings
from aitrain.settings.section import DAY_SECONDS
from aitrain.store import MonthView, PrunedMonth, Store

if TYPE_CHECKING:  # imported where they are needed: this is a part of every client, and few read bills
    from aitrain.domain.bill import Bill, Grouping, Usage
    from aitrain.ledger_file import LedgerSums, Reader

CHUNK = 1000


@dataclass(frozen=True)
class FlavorPrices:
    """Hourly prices of one unit of a flavor. catalogue: by this process's settings, None if they have no such flavor;
    told: those that the job store was told, oldest first: each counts for minutes that begin from its time on.
    """

    flavor: str
    catalogue: Decimal | None
    told: tuple[Price, ...]


class Bills:
    """The part of a client that reads bills. Raises StoreUnavailable as all of it."""

    settings: Settings
    _store: Store

    def bill(self, project: str, month: str | None = None, *, by: Sequence[str] = ("flavor",)) -> Bill:
        """What a project owes for a month ("2026-11"; UTC), the current one if not given.

        by: one or more of project, flavor, user, job, name, host, day, policy, price and label:KEY. Reads every line of
        the month once, and keeps only the groups. Raises InvalidInput for a month or a grouping that is none.
        """
        from aitrain.domain.bill import Grouping

        grouping, month, project = Grouping.of(by), self._month(month), checked_project(project)
        bill = self._bill(project, month, grouping)
        # A store that was put in another's place meanwhile may have shown lines twice, or not at all.
        return self._bill(project, month, grouping) if bill.counter_differs else bill

    def bill_lines(
        self, project: str, month: str | None = None, *, job_id: str | None = None
    ) -> Iterator[tuple[LedgerLine, BilledJob]]:
        """The ledger lines behind a bill, and what is known of their jobs, in no order; of one job if given.

        Raises InvalidInput for a month that is none, or was pruned: that there are no lines would look as if nothing
        had been billed.
        """
        month, project = self._month(month), checked_project(project)
        if (pruned := self._store.month_view(project, month).pruned) is not None:
            remedy = f"look into the export that was made then, with sha256 {pruned.sha256}"
            raise InvalidInput.of("month", month, f"of {project} was pruned", remedy)
        return self._described(project, month, job_id)

    def usage(self, month: str | None = None) -> Usage:
        """What every project has used in a month, the current one if not given, up to the last minute that was billed.

        Costs one look at counters, however long the ledgers are. Raises InvalidInput for a month that is none.
        """
        from aitrain.domain.bill import Usage

        view = self._store.month_view("", None if month is None else checked_month(month))
        spent = dict(sorted(self._store.spent(view.month).items()))
        return Usage(view.month, view.now_ms, spent, self.settings.currency, self.settings.minor_unit)

    def export_ledger(self, project: str, month: str, file: Path | str) -> LedgerSums:
        """Writes a month's ledger of a project to a file (see aitrain.ledger_file), whole or not at all.

        The same ledger is always the same file. Raises InvalidInput if there is such a file already, if the month is
        none or was pruned, or if minutes of it may still be billed.
        """
        from aitrain.ledger_file import Head, write

        self._closed(project, month)
        path, head = Path(file), Head(project, month, self.settings.currency)
        lines = self._store.ledger_lines(project, month)
        return write(path, head, lines, self._store.each_billed_job(project, month))

    def prune_ledger(self, project: str, month: str, file: Path | str, *, by: str = "") -> PrunedMonth:
        """Removes a month of a project's ledger from the store, of which `file` is an export; what is left of it.

        The file is held against itself and against every line in the store. Only of a month that is over for at least
        billing.ledger_retention_days, and of which no minute can be billed any more. What was pruned before is answered
        again. Raises InvalidInput, and then nothing is removed.
        """
        from aitrain.ledger_file import Head, Reader

        reader = Reader(Path(file), Head(checked_project(project), month, self.settings.currency))
        if (pruned := self._store.month_view(project, checked_month(month)).pruned) is not None:
            return self._same(reader, pruned)
        view = self._closed(project, month)
        over_days = (view.now_ms - end_ms(month)) // (DAY_SECONDS * 1000)
        kept_days = self.settings.billing.ledger_retention_days
        if over_days < kept_days:
            problem = f"is over for {over_days} days, and kept for {kept_days}"
            raise InvalidInput.of("month", month, problem, "wait, or lower billing.ledger_retention_days")
        sums = self._compared(reader, view)
        pruned = PrunedMonth(
            view.now_ms, sums.jobs, sums.lines, sums.minutes, sums.price_minutes, sums.sha256, by
        )  # fmt: skip
        if not self._store.prune_month(project, month, view, pruned):
            raise InvalidInput.of("month", month, "changed while it was compared", "look at `aitrain bill audit`")
        # Of two who prune at once, the first one's word stands.
        return self._store.month_view(project, month).pruned or pruned

    def pruned_months(self, project: str) -> dict[str, PrunedMonth]:
        """The months of a project's ledger that were removed from the store, and what is left of them."""
        return self._store.pruned_months(project)

    def prices(self) -> list[FlavorPrices]:
        """What the units of every flavor cost and have cost: those of the catalogue, and those that it has lost."""
        catalogue = self.settings.flavors
        names = [*catalogue, *sorted(self._store.flavors_ever() - catalogue.keys())]
        return [
            FlavorPrices(
                name, catalogue[name].hourly_price if name in catalogue else None, tuple(self._store.prices(name))
            )
            for name in names
        ]

    def _month(self, month: str | None) -> str:
        return checked_month(month) if month is not None else self._store.month_view("").month

    def _bill(self, project: str, month: str, grouping: Grouping) -> Bill:
        from aitrain.domain.bill import Bill, BillState, Tally, bill_of

        before = self._store.month_view(project, month)
        if (pruned := before.pruned) is not None:
            differs = before.lines > 0 or before.price_minutes != pruned.price_minutes
            return Bill(
                project, month, BillState.PRUNED, before.now_ms, grouping.by, (), pruned.price_minutes,
                self.settings.currency, self.settings.minor_unit, differs,
            )  # fmt: skip
        is_open = self._store.month_is_open(project, month, before.now_ms)
        tally = Tally(grouping)
        for line, job in self._described(project, month, None, grouping.asks_jobs):
            tally.add(line, job)
        after = self._store.month_view(project, month)
        state = BillState.RUNNING if is_open else BillState.FINAL
        return bill_of(
            tally, project=project, month=month, state=state, as_of_ms=before.now_ms,
            counted=(before.price_minutes, after.price_minutes), currency=self.settings.currency,
            minor_unit=self.settings.minor_unit,
        )  # fmt: skip

    def _described(
        self, project: str, month: str, job_id: str | None, asks_jobs: bool = True
    ) -> Iterator[tuple[LedgerLine, BilledJob]]:
        """Lines with their jobs, which are looked up for a chunk of lines at a time."""
        from aitrain.domain.bill import UNKNOWN

        lines = self._store.ledger_lines(project, month)
        while chunk := list(islice(lines, CHUNK)):
            wanted = [line for line in chunk if job_id in (None, line.job_id)]
            ids = {line.job_id for line in wanted}
            jobs = self._store.described_jobs(project, month, ids) if asks_jobs else {}
            yield from ((line, jobs.get(line.job_id, UNKNOWN)) for line in wanted)

    def _closed(self, project: str, month: str) -> MonthView:
        """A month that is final and has lines. Raises InvalidInput for any other."""
        view = self._store.month_view(checked_project(project), checked_month(month))
        if view.pruned is not None:
            raise InvalidInput.of("month", month, f"of {project} was pruned", "take the export that was made before")
        if self._store.month_is_open(project, month, view.now_ms):
            problem = "is not over" if view.now_ms < end_ms(month) else "has jobs of which minutes may yet be billed"
            raise InvalidInput.of("month", month, problem, "wait until `aitrain bill show` says that it is final")
        if not view.lines:
            raise InvalidInput.of("month", month, f"has no ledger lines of {project}", "name another")
        # Nothing is added any more, so that this stands.
        return self._store.month_view(project, month)

    @staticmethod
    def _same(reader: Reader, pruned: PrunedMonth) -> PrunedMonth:
        """What was pruned before, if it was by this export; nobody may keep another file as the ledger.

        Raises InvalidInput if it was not.
        """
        for _ in reader.batches():
            pass
        if reader.sums.sha256 != pruned.sha256:
            problem = f"is not the export by which the month was pruned: that one has sha256 {pruned.sha256}"
            raise InvalidInput.of("export", reader.path, problem, "look for that one, and keep it")
        return pruned

    def _compared(self, reader: Reader, view: MonthView) -> LedgerSums:
        """Holds an export against the store; what it holds. Raises InvalidInput if they differ."""
        from aitrain.domain.audit import place_of

        head = reader.head
        for lines, jobs in reader.batches():
            stored = self._store.lines_at([(head.project, place_of(line)) for line in lines])
            if wrong := next((line for line in lines if not _same_line(line, stored.get(place_of(line)))), None):
                raise reader.broken(f"has a line that the store has not, or has otherwise: {wrong}")
            if self._store.described_jobs(head.project, head.month, jobs) != jobs:
                raise reader.broken("knows jobs otherwise than the store")
        sums = reader.sums
        if (sums.lines, sums.jobs) != (view.lines, view.jobs):
            raise reader.broken(f"has {sums.lines} lines of {sums.jobs} jobs, the store {view.lines} of {view.jobs}")
        return sums


def _same_line(one: LedgerLine, other: LedgerLine | None) -> bool:
    """Whether they are one, to the digits of the price: of 1.9 and 1.90 a file could have both."""
    from aitrain.domain.billforms import line_record

    return other is not None and line_record(one) == line_record(other)
