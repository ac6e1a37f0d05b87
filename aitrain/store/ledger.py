"""What is due (timeouts, minutes), the ledger, and what projects may have."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from decimal import Decimal
from functools import partial

from aitrain.domain.admission import ProjectTerms
from aitrain.domain.billing import BilledJob, LedgerLine, Policy, Price
from aitrain.domain.errors import LineUnreadable
from aitrain.store.jobs import Jobs
from aitrain.store.records import to_billed_job, to_ledger_line, to_price

# Of a step of a scan: so few that the server is held up for less than a millisecond.
SCAN_COUNT = 500


@dataclass(frozen=True)
class Ticked:
    """The answer to a billing tick. looked: jobs that were due; minutes: written; until_ms: what was due by then."""

    looked: int
    minutes: int
    until_ms: int


class Ledger(Jobs):
    """Billing, and the limits of projects."""

    def sweep_deadlines(self, limit: int) -> list[str]:
        """Marks up to `limit` jobs whose timeout was reached; their ids."""
        return list(self._run("sweep_deadlines", {"limit": limit}))

    def tick_billing(self, limit: int, until_ms: int = 0) -> Ticked:
        """Bills up to `limit` running jobs of which a minute may have begun; until_ms: by then, 0 for now."""
        answer = self._run("tick_billing", {"limit": limit, "until_ms": until_ms})
        return Ticked(int(answer["looked"]), int(answer["minutes"]), int(answer["until_ms"]))

    def set_billing(self, policy: Policy, prices: Mapping[str, Decimal]) -> list[str]:
        """Tells by what policy attempts are billed that are placed from now on, and the hourly price of each flavor.

        Answers the flavors of which the price is news. It counts for minutes that begin 30 s later or
        after: none of those is in the ledger yet.
        """
        told = {flavor: str(price) for flavor, price in prices.items()}
        return list(self._run("set_billing", {"policy": policy, "prices": told}))

    def prices(self, flavor: str) -> list[Price]:
        """Every price of a flavor that the store was told, oldest first."""
        return [to_price(text) for text in self._ask(lambda: self._redis.zrange(self._key("prices", flavor), 0, -1))]

    def ledger_projects(self) -> list[str]:
        """The projects that have lines in the ledger, in order."""
        return sorted(self._ask(lambda: self._redis.smembers(self._key("ledger_projects"))))

    def ledger_months(self, project: str) -> list[str]:
        """The months for which a project has lines, in order."""
        return sorted(self._ask(lambda: self._redis.smembers(self._key("ledger_months", project))))

    def ledger_lines(
        self, project: str, month: str | None = None, unreadable: Callable[[LineUnreadable], None] | None = None
    ) -> Iterator[LedgerLine]:
        """A project's lines, of one month ("2026-11") or of all, in no order, a few at a time.

        A line that grows meanwhile is told as it was or as it is, and each once. unreadable: told of what is no line;
        if not given, raises LineUnreadable.
        """
        for held in self.ledger_months(project) if month is None else [month]:
            met: set[str] = set()  # a scan may bring a field twice
            for field, text in self._scan(self._key("ledger", project, held)):
                if field not in met:
                    met.add(field)
                    try:
                        line = to_ledger_line(project, field, text)
                    except LineUnreadable as error:
                        if unreadable is None:
                            raise
                        unreadable(error)
                    else:
                        yield line

    def lines_at(
        self, places: Sequence[tuple[str, tuple[str, str, int, int]]]
    ) -> dict[tuple[str, str, int, int], LedgerLine]:
        """The lines that stand at places (month, job, attempt, first minute) of projects, by place.

        What cannot be read is none.
        """
        pipe = self._redis.pipeline(transaction=False)
        for project, (month, job_id, attempt, first) in places:
            pipe.hget(self._key("ledger", project, month), f"{job_id}/{attempt}/{first}")
        found = self._ask(pipe.execute) if places else []
        lines: dict[tuple[str, str, int, int], LedgerLine] = {}
        for (project, place), text in zip(places, found, strict=True):
            if text is not None:
                with suppress(LineUnreadable):
                    lines[place] = to_ledger_line(project, "/".join(map(str, place[1:])), text)
        return lines

    def job_ids(self, project: str | None = None) -> Iterator[str]:
        """Every job, of one project or of all, in no order, a few at a time; each at least once."""
        key, cursor = self._key("jobs") if project is None else self._key("project_jobs", project), 0
        while True:
            cursor, found = self._ask(partial(self._redis.zscan, key, cursor, count=SCAN_COUNT))
            yield from (job_id for job_id, _ in found)
            if not cursor:
                return

    def billed_jobs(self, project: str, month: str) -> dict[str, BilledJob]:
        """What is kept of the jobs of which a month has lines, by id."""
        return {job_id: to_billed_job(text) for job_id, text in self._scan(self._key("ledger_jobs", project, month))}

    def spent(self, month: str) -> dict[str, Decimal]:
        """By project, minutes x units x hourly price of all its lines of a month, exactly: a sixtieth of it is owed."""
        held = self._ask(lambda: self._redis.hgetall(self._key("spent", month)))
        return {project: Decimal(millionths).scaleb(-6) for project, millionths in held.items()}

    def _scan(self, key: str) -> Iterator[tuple[str, str]]:
        cursor = 0
        while True:
            cursor, found = self._ask(partial(self._redis.hscan, key, cursor, count=SCAN_COUNT))
            yield from found.items()
            if not cursor:
                return

    def sweep_done(self, sweep: str, at_ms: int) -> None:
        """Records that a sweep succeeded."""
        self._change(("HSET", self._key("sweeps"), sweep, at_ms))

    def timeout_limit(self, project: str) -> int | None:
        """A project's longest timeout in seconds, 0 for none; None: the site's."""
        held = self._ask(lambda: self._redis.hget(self._key("timeout_limit"), project))
        return None if held is None else int(held)

    def project_terms(self, project: str) -> ProjectTerms:
        """What a project's submissions are admitted by, in one round trip."""
        pipe = self._redis.pipeline(transaction=False)
        pipe.hget(self._key("timeout_limit"), project)
        pipe.hget(self._key("priority_limit"), project)
        pipe.hkeys(self._key("data_stores", project))
        *limits, aliases = self._ask(pipe.execute)
        timeout_s, priority = (None if limit is None else int(limit) for limit in limits)
        return ProjectTerms(timeout_s, frozenset(aliases), priority)

    def set_priority_limit(self, project: str, highest: int | None) -> None:
        """Sets the highest priority of a project's jobs; None: the site's."""
        self._set_limit("priority_limit", project, highest)

    def set_timeout_limit(self, project: str, seconds: int | None) -> None:
        """Sets a project's longest timeout, 0 for none; None: the site's."""
        self._set_limit("timeout_limit", project, seconds)

    def _set_limit(self, name: str, field: str, limit: int | None) -> None:
        key = self._key(name)
        if limit is None:
            self._change(("HDEL", key, field))
        else:
            self._change(("HSET", key, field, limit))
