"""Copies that are ordered while a job runs: the orders, and the leases of the workers that are at them."""

from __future__ import annotations

import json
from collections.abc import Sequence

from aitrain.domain.copying import CopyState, DataCopy
from aitrain.domain.errors import JobNotFound
from aitrain.domain.job import Direction
from aitrain.domain.states import InfoCode, State
from aitrain.store.answers import CopyBegun, CopyLease, Ordered
from aitrain.store.connection import Connection, token
from aitrain.store.records import to_copy, to_job


class Copies(Connection):
    """One order at a time for each job. It touches neither the job's state nor its bill nor its step's lease."""

    def order_copy(self, job_id: str, direction: Direction, *, mount_path: str, dry_run: bool, by: str) -> Ordered:
        """Orders that data of a RUNNING job is copied. Raises JobNotFound and StoreUnavailable."""
        answer = self._run(
            "order_copy",
            {
                "id": job_id, "op": token(), "direction": direction, "mount_path": mount_path,
                "dry_run": str(int(dry_run)), "by": by, "grace_ms": self._grace_ms,
            },
        )  # fmt: skip
        if answer.get("why") == "unknown":
            raise JobNotFound(job_id)
        copy = to_copy(answer["copy"]) if answer.get("copy") else None
        return Ordered(bool(answer["done"]), State(answer["state"]), answer.get("why"), copy)

    def last_copy(self, job_id: str) -> DataCopy | None:
        """The order that was given last, open or over; None if there was none."""
        fields = self._ask(lambda: self._redis.hgetall(self._key("copy", job_id)))
        return to_copy(fields) if fields else None

    def begin_copy(self, lease: CopyLease, ttl_ms: int, host: str, instance: str) -> CopyBegun | None:
        """Takes the lease on an ordered copy for a worker of the host.

        None: an old or doubled message, or another worker is at it.
        """
        arguments = {**_lease(lease), "fence": lease.fence, "ttl_ms": ttl_ms, "host": host, "instance": instance}
        answer = self._run("begin_copy", arguments)
        return (
            CopyBegun(to_job(lease.job_id, answer["job"], [], []), to_copy(answer["copy"])) if answer["begun"] else None
        )

    def renew_copies(self, leases: Sequence[CopyLease], ttl_ms: int) -> list[bool]:
        """Renews leases; False for each whose job left RUNNING or that went to another."""
        return [
            bool(kept)
            for kept in self._run("renew_copies", {"leases": [_lease(lease) for lease in leases], "ttl_ms": ttl_ms})
        ]

    def end_copy(
        self,
        lease: CopyLease,
        state: CopyState,
        *,
        summary: str = "",
        lines: Sequence[str] = (),
        error: str = "",
        code: InfoCode | None = None,
    ) -> bool:
        """Ends an ordered copy with its answer; False if it is not this worker's any more."""
        fields = {"state": state, "summary": summary, "lines": json.dumps(lines), "error": error, "code": code}
        given = {name: value for name, value in fields.items() if value}
        return bool(self._run("end_copy", {**_lease(lease), "fields": given})["ended"])


def _lease(lease: CopyLease) -> dict[str, str]:
    return {"id": lease.job_id, "copy": lease.copy_id, "holder": lease.holder}
