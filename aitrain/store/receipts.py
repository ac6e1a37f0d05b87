"""Receipts: the facts of attempts that have ended, until a control worker has signed them, and the receipts."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from aitrain.domain.states import InfoCode, State
from aitrain.store.connection import Connection
from aitrain.store.packing import packed, unpacked
from aitrain.store.records import to_job, to_ledger_line

if TYPE_CHECKING:  # imported where it is needed: each process has a store, and only control workers make receipts
    from aitrain.domain.receipt import AttemptFacts

# A control worker that is away for so long has lost its key for good, as far as the store knows.
SIGNING_SECONDS = 86_400
# What an end takes at most (a spec of half a MiB, listings) times this is an answer that Redis gives at once.
BATCH = 20


@dataclass(frozen=True)
class UnsignedEnd:
    """The end of an attempt that has no receipt yet. version: of its facts; now_ms: Unix ms, the store's clock."""

    job_id: str
    attempt: int
    version: str
    now_ms: int
    _held: Mapping[str, Any]

    @property
    def facts(self) -> AttemptFacts:
        """What was noted of it. Costs the decoding; raises ValueError and KeyError for what cannot be read."""
        from aitrain.domain.receipt import AttemptFacts, Listings

        flat = json.loads(self._held["job"])
        fields = dict(zip(flat[0::2], flat[1::2], strict=True))
        moves = [json.dumps(move) for move in json.loads(self._held["moves"])]
        job = to_job(self.job_id, fields, moves, [])
        parts, before = _pairs(self._held["manifest"]), self._held.get("receipt")
        return AttemptFacts(
            job=job,
            state=State(self._held["state"]),
            code=InfoCode(self._held["code"]),
            lines=tuple(to_ledger_line(job.project, *one) for one in json.loads(self._held["lines"])),
            listings=Listings(**{part: unpacked(text) for part, text in parts.items()}),
            before=unpacked(before)["receipt"] if before else None,
        )


class Receipts(Connection):
    """What is noted for receipts, and the receipts themselves."""

    def makes_receipts(self) -> bool:
        """Whether control workers sign receipts: if not, listings of volumes are of no use."""
        return bool(self._ask(lambda: self._redis.exists(self._key("signing"))))

    def signing(self) -> None:
        """Says that there is a key, so that the ends of attempts are noted. To be said again now and then."""
        self._change(("SET", self._key("signing"), 1, "EX", SIGNING_SECONDS))

    def unsigned_ends(self) -> list[UnsignedEnd]:
        """Some ends of attempts that have no receipt yet, the oldest first."""
        answer = self._run("unsigned_ends", {"limit": BATCH})
        # Lua writes an empty list as an object.
        return [
            UnsignedEnd(end["id"], end["attempt"], end["version"], answer["now_ms"], end)
            for end in list(answer["ends"])
        ]

    def put_receipt(self, end: UnsignedEnd, signed: Mapping[str, Any], retention_s: int) -> bool:
        """Keeps a signed receipt for so many seconds, 0 for ever.

        False: another worker was faster, or the attempt has ended anew meanwhile, and its receipt is due again.
        """
        arguments = {
            "id": end.job_id, "attempt": str(end.attempt), "version": end.version, "text": packed(signed),
            "retention_s": retention_s,
        }  # fmt: skip
        return bool(self._run("put_receipt", arguments)["kept"])

    def put_off_receipt(self, end: UnsignedEnd, pause_ms: int) -> None:
        """Has the receipt of an end tried again later, so that it does not stand in the way of others."""
        member, at_ms = f"{end.job_id}/{end.attempt}", end.now_ms + pause_ms
        self._change(("ZADD", self._key("unsigned"), "XX", at_ms, member))

    def receipts(self, job_id: str) -> dict[int, dict[str, Any]]:
        """The signed receipts of a job, by attempt. The job may be deleted."""
        held = self._ask(lambda: self._redis.hgetall(self._key("receipts", job_id)))
        return {int(attempt): unpacked(text) for attempt, text in sorted(held.items(), key=lambda one: int(one[0]))}


def _pairs(flat: Any) -> dict[str, str]:
    listed = list(flat)
    return dict(zip(listed[0::2], listed[1::2], strict=True))
