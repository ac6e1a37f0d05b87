"""The audit of bills: recomputes what every job owes from its history, and compares it with the ledger.

Two walks, a few jobs at a time: one over the ledger, for lines that nobody owes, and one over the jobs, for lines that
are missing or wrong. The site goes on meanwhile: what looks wrong is read again until the job stands still.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from decimal import Decimal
from itertools import islice
from typing import TypeVar

from aitrain.domain.audit import Audited, Difference, Place, differences, expected, place_of, sum_difference
from aitrain.domain.billing import LedgerLine, Price
from aitrain.domain.job import Job
from aitrain.store import Store

# Jobs and lines that are read in one round trip.
BATCH = 200
# A running job is billed once a minute: whoever meets it in the act reads it again.
TRIES = 5
Item = TypeVar("Item")


class Audit:
    """One audit."""

    def __init__(
        self, store: Store, project: str | None, month: str | None, tell: Callable[[Difference], None]
    ) -> None:
        """project, month: only of these, if given; tell: called with each difference."""
        self._store, self._project, self._month, self._tell = store, project, month, tell
        self._prices: dict[str, list[Price]] = {}
        self._audited = Audited()
        self._suspects: dict[str, set[Place]] = {}

    def run(self) -> Audited:
        """Does it. Raises StoreUnavailable."""
        for project in self._store.ledger_projects() if self._project is None else [self._project]:
            for month in self._store.ledger_months(project) if self._month is None else [self._month]:
                self._walk_ledger(project, month)
        for ids in _batches(self._store.job_ids(self._project)):
            jobs = self._store.get_many(ids)
            self._audited.jobs += len(jobs)
            for job_id, owed in self._unlike_the_ledger(jobs):
                self._suspects.setdefault(job_id, set()).update(owed)
        for job_id, places in self._suspects.items():
            self._look_again(job_id, places)
        return self._audited

    def _walk_ledger(self, project: str, month: str) -> None:
        before, total = self._store.spent(month).get(project, Decimal(0)), Decimal(0)
        for lines in _batches(self._store.ledger_lines(project, month)):
            total += sum(line.price_minutes for line in lines)
            self._audited.lines += len(lines)
            self._audited.minutes += sum(line.minutes for line in lines)
            jobs = {
                job.id: self._expected(job) for job in self._store.get_many(sorted({line.job_id for line in lines}))
            }
            for line in lines:
                if line.job_id not in jobs:
                    self._audited.without_history += 1
                elif jobs[line.job_id].get(place_of(line)) != line:
                    self._suspects.setdefault(line.job_id, set()).add(place_of(line))
        after = self._store.spent(month).get(project, Decimal(0))
        if (wrong := sum_difference(project, month, total, before, after)) is not None:
            self._found(wrong)

    def _unlike_the_ledger(self, jobs: Iterable[Job]) -> Iterator[tuple[str, set[Place]]]:
        owed = {job.id: self._expected(job) for job in jobs}
        of_project = {job.id: job.project for job in jobs}
        wanted = [(of_project[job_id], place) for job_id, lines in owed.items() for place in lines]
        held = self._store.lines_at(wanted)
        for job_id, lines in owed.items():
            if wrong := {place for place, line in lines.items() if held.get(place) != line}:
                yield job_id, wrong

    def _look_again(self, job_id: str, places: set[Place]) -> None:
        found: list[Difference] = []
        for _ in range(TRIES):
            self._prices.clear()
            jobs = self._store.get_many([job_id])
            if not jobs:
                return  # deleted meanwhile
            (job,) = jobs
            owed = self._expected(job)
            held = self._store.lines_at([(job.project, place) for place in sorted(places | owed.keys())])
            found = list(differences(owed, held, job.project))
            if not found or self._store.get_many([job_id]) == jobs:
                break
        for one in found:
            self._found(one)

    def _found(self, one: Difference) -> None:
        self._audited.differences += 1
        self._tell(one)

    def _expected(self, job: Job) -> dict[Place, LedgerLine]:
        if job.flavor not in self._prices:
            self._prices[job.flavor] = self._store.prices(job.flavor)
        owed = expected(job, self._prices[job.flavor])
        return {place: line for place, line in owed.items() if self._month in (None, line.month)}


def _batches(items: Iterable[Item]) -> Iterator[list[Item]]:
    left = iter(items)
    while batch := list(islice(left, BATCH)):
        yield batch
