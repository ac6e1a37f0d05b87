"""What is due (timeouts, minutes), the ledger, and what projects may have."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

from aitrain.domain.admission import ProjectTerms
from aitrain.domain.billing import LedgerLine, LedgerRow
from aitrain.domain.flavor import Kind
from aitrain.domain.job import Job
from aitrain.store.jobs import Jobs
from aitrain.store.records import ledger_fields, to_ledger_row


class Ledger(Jobs):
    """Billing, and the limits of projects."""

    def sweep_deadlines(self, limit: int) -> list[str]:
        """Marks up to `limit` jobs whose timeout was reached; their ids."""
        return list(self._run("sweep_deadlines", {"limit": limit}))

    def due_billing(self, limit: int) -> list[Job]:
        """Up to `limit` running jobs whose next minute may have begun."""
        return self.get_many(list(self._run("due_billing", {"limit": limit})))

    def bill(self, job: Job, rows: Sequence[LedgerRow], again_ms: int) -> bool:
        """Writes rows of a running job and says in how many ms its next minute may begin; False if it moved on."""
        arguments: dict[str, Any] = {
            "id": job.id, "fence": job.fence, "rows": [ledger_fields(row) for row in rows], "again_ms": again_ms
        }  # fmt: skip
        if rows:
            arguments["written"] = rows[-1].minute + 1
        return bool(self._run("bill", arguments)["billed"])

    def ledger(self, project: str, month: str | None = None) -> list[LedgerRow]:
        """A project's rows, of one month ("2026-11") or of all, in order of time."""
        months = self._ask(lambda: self._redis.smembers(self._key("ledger_months", project)))
        rows = [
            to_ledger_row(project, key, row)
            for held in sorted(months)
            if month in (None, held)
            for key, row in self._ask(partial(self._redis.hgetall, self._key("ledger", project, held))).items()
        ]
        return sorted(rows, key=lambda row: (row.begins_ms, row.job_id))

    def attempt_lines(self, job: Job) -> list[LedgerLine]:
        """The lines of the job's current attempt, in order."""
        rows = [row for row in self.ledger(job.project) if (row.job_id, row.attempt) == (job.id, job.attempt)]
        return [LedgerLine(row.job_id, row.attempt, row.minute, 1, row.begins_ms, row.terms) for row in rows]

    def sweep_done(self, sweep: str, at_ms: int) -> None:
        """Records that a sweep succeeded."""
        self._ask(lambda: self._redis.hset(self._key("sweeps"), sweep, at_ms))

    def set_quota(self, project: str, kind: Kind, limit: int | None) -> None:
        """Sets a project's quota of units of a kind; None lifts it."""
        self._set_limit("quota_limit", f"{project}/{kind}", limit)

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
            self._ask(lambda: self._redis.hdel(key, field))
        else:
            self._ask(lambda: self._redis.hset(key, field, limit))
