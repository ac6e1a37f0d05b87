"""Orders to a job. Each may be given twice, and answers with what it did or why not."""

from __future__ import annotations

from typing import Any

from aitrain.domain.errors import JobNotFound
from aitrain.domain.spec import MAX_LABELS
from aitrain.domain.states import State
from aitrain.store.answers import Ordered
from aitrain.store.connection import Connection, token
from aitrain.store.refusals import refusal


class Orders(Connection):
    """What users and operators order."""

    def stop(self, job_id: str, message: str) -> Ordered:
        """Orders a job to stop: QUEUED it ends at once, on a host its agent stops it.

        Raises JobNotFound and StoreUnavailable.
        """
        return _ordered(job_id, self._run("stop", {"id": job_id, "op": token(), "message": message}))

    def start(self, job_id: str, message: str) -> Ordered:
        """Queues an ended job again as its next attempt.

        Raises JobNotFound, QuotaExceeded, BudgetExceeded, InvalidInput as edit does, and StoreUnavailable.
        """
        answer = self._run("start", {"id": job_id, "op": token(), "token": token(), "message": message})
        if (error := refusal(answer)) is not None:
            raise error
        return _ordered(job_id, answer)

    def retry_push(self, job_id: str, message: str) -> Ordered:
        """Has results that could not be pushed pushed again: the job is FINALIZING once more.

        Raises JobNotFound and StoreUnavailable.
        """
        arguments = {"id": job_id, "op": token(), "message": message, "grace_ms": self._grace_ms}
        return _ordered(job_id, self._run("retry_push", arguments))

    def delete(self, job_id: str, *, force: bool, message: str) -> Ordered:
        """Deletes an ended job, all but its rows in the ledger; with force, one that has not ended is stopped first.

        A job that is gone already is an answer, too. Raises StoreUnavailable.
        """
        answer = self._run("delete", {"id": job_id, "op": token(), "force": force, "message": message})
        return Ordered(bool(answer["done"]), State(answer["state"]) if answer.get("state") else None, answer.get("why"))

    def edit(
        self,
        job_id: str,
        *,
        fence: str | None = None,
        timeout_s: int | None = None,
        by_job: bool = False,
        auto_restart: bool | None = None,
        labels: dict[str, str] | None = None,
        drop_labels: tuple[str, ...] = (),
    ) -> Ordered:
        """Changes a job; what is None stays as it is. The deadline of a running job moves with its timeout.

        fence: only while it is the current one; timeout_s: seconds of RUNNING in all, 0 for none; by_job: the job asks
        itself, only for more ("shorter"), once ("asked"), and within its project's budget ("budget").
        Raises JobNotFound, BudgetExceeded, InvalidInput if a budget allows no job without a timeout, and
        StoreUnavailable.
        """
        arguments: dict[str, Any] = {"id": job_id}
        if fence is not None:
            arguments["fence"] = fence
        if timeout_s is not None:
            arguments |= {"timeout_s": timeout_s, "by_job": by_job}
        if auto_restart is not None:
            arguments["auto_restart"] = str(int(auto_restart))
        if labels or drop_labels:
            arguments |= {"labels": labels or {}, "drop": drop_labels, "most_labels": MAX_LABELS}
        answer = self._run("edit", arguments)
        if (error := refusal(answer)) is not None:
            raise error
        return _ordered(job_id, answer)


def _ordered(job_id: str, answer: dict[str, Any]) -> Ordered:
    if answer.get("why") == "unknown":
        raise JobNotFound(job_id)
    return Ordered(bool(answer["done"]), State(answer["state"]), answer.get("why"))
