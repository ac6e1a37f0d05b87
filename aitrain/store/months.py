"""Months of the ledger: what is known of the jobs in them, how they stand, and how they leave the store."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator
from dataclasses import asdict, dataclass
from decimal import Decimal
from functools import partial
from typing import Any

from aitrain.domain.billing import MINUTE_MS, BilledJob, Policy
from aitrain.domain.money import COUNTER_PART, EXACT
from aitrain.domain.months import end_ms
from aitrain.domain.states import State
from aitrain.store.ledger import Ledger
from aitrain.store.records import to_billed_job

PAGE = 1000


@dataclass(frozen=True)
class PrunedMonth:
    """What is left in the store of a month that was removed from it.

    at_ms: when, Unix time; jobs, lines, minutes: how many; price_minutes: what they owed (see domain.money); sha256: of
    the export (see aitrain.ledger_file); by: who removed it.
    """

    at_ms: int
    jobs: int
    lines: int
    minutes: int
    price_minutes: Decimal
    sha256: str
    by: str = ""


@dataclass(frozen=True)
class MonthView:
    """How a project's month stands.

    now_ms: the store's time; lines, jobs: how many the store has; spent: what was counted as they were written, in the
    store's parts; pruned: what is left of it, if it was removed.
    """

    now_ms: int
    month: str
    lines: int
    jobs: int
    spent: int
    pruned: PrunedMonth | None

    @property
    def price_minutes(self) -> Decimal:
        """What was counted (see domain.money)."""
        return _price_minutes(self.spent)


class Months(Ledger):
    """The months of the ledger."""

    def month_view(self, project: str, month: str | None = None) -> MonthView:
        """How a month stands, the current one if not given."""
        held = self._run("month_view", {"project": project, "month": month or ""})
        return MonthView(
            held["now_ms"], held["month"], held["lines"], held["jobs"], int(held["spent"]), _pruned(held.get("pruned"))
        )

    def month_is_open(self, project: str, month: str, now_ms: int) -> bool:
        """Whether a minute of the month may still be billed.

        Once none can be, none ever will: an attempt that begins later has its first minute after the month. Attempts
        are read in the order of their life, so that one that moves on meanwhile is met again.
        """
        if now_ms < end_ms(month):
            return True
        preparing = [State.INITIALIZING, State.PENDING]
        keys = [*(self._key("state", state) for state in preparing), self._key("billing")]
        return any(self._any_open(key, project, end_ms(month)) for key in keys)

    def described_jobs(self, project: str, month: str, job_ids: Collection[str]) -> dict[str, BilledJob]:
        """What is known of jobs that were billed in a month, also of those that are deleted."""
        ids = list(job_ids)
        if not ids:
            return {}
        found = self._ask(lambda: self._redis.hmget(self._key("ledger_jobs", project, month), ids))
        return {job_id: to_billed_job(text) for job_id, text in zip(ids, found, strict=True) if text is not None}

    def each_billed_job(self, project: str, month: str) -> Iterator[tuple[str, BilledJob]]:
        """All of them, a page at a time."""
        for job_id, text in self._scan(self._key("ledger_jobs", project, month)):
            yield job_id, to_billed_job(text)

    def pruned_months(self, project: str) -> dict[str, PrunedMonth]:
        """The months that were removed from the store, in order."""
        held = self._ask(lambda: self._redis.hgetall(self._key("pruned", project)))
        return {month: pruned for month, text in sorted(held.items()) if (pruned := _pruned(text))}

    def prune_month(self, project: str, month: str, view: MonthView, pruned: PrunedMonth) -> bool:
        """Removes a month's lines and leaves `pruned`, which says what they were; False if it does not stand as `view`
        says. Only of a month that is over and not open; what was removed already answers True.
        """
        left = asdict(pruned) | {"price_minutes": str(pruned.price_minutes)}
        arguments: dict[str, Any] = {
            "project": project, "month": month, "lines": view.lines, "jobs": view.jobs, "spent": str(view.spent),
            "pruned": json.dumps(left, separators=(",", ":")),
        }  # fmt: skip
        return bool(self._run("prune_month", arguments)["pruned"])

    def _any_open(self, key: str, project: str, ends_ms: int) -> bool:
        """Whether a job of a project in a sorted set may be billed a minute that begins before ends_ms."""
        cursor = 0
        while True:
            cursor, page = self._ask(partial(self._redis.zscan, key, cursor, count=PAGE))
            pipe = self._redis.pipeline(transaction=False)
            for job_id, _ in page:
                pipe.hmget(self._key("job", job_id), ["project", *CLOCK_FIELDS])
            for owner, *held in self._ask(pipe.execute):
                if owner == project and may_bill_before(ends_ms, dict(zip(CLOCK_FIELDS, held, strict=True))):
                    return True
            if cursor == 0:
                return False


CLOCK_FIELDS = ("policy", "placed_ms", "pending_ms", "begun_ms", "billed_minutes")


def may_bill_before(ends_ms: int, job: dict[str, str | None]) -> bool:
    """Whether an attempt that is being prepared or runs may yet be billed a minute that begins before ends_ms.

    job: CLOCK_FIELDS of its hash. Its next minute follows those that are billed. If its container has not begun, its
    clock may start no sooner than when the attempt got its host.
    """
    if job["begun_ms"] is None:
        return int(job["placed_ms"] or 0) < ends_ms
    entered = {Policy.INITIALIZING: job["placed_ms"], Policy.PENDING: job["pending_ms"]}.get(
        Policy(job["policy"] or Policy.RUNNING)
    )
    started_ms = min(int(job["begun_ms"]), int(entered or job["begun_ms"]))
    return started_ms + int(job["billed_minutes"] or 0) * MINUTE_MS < ends_ms


def _price_minutes(parts: str | int) -> Decimal:
    return EXACT.multiply(Decimal(parts), COUNTER_PART)


def _pruned(text: str | None) -> PrunedMonth | None:
    if text is None:
        return None
    held = json.loads(text)
    return PrunedMonth(**held | {"price_minutes": Decimal(held["price_minutes"])})
