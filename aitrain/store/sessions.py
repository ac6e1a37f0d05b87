"""Sessions: what a client asks the agent of a running job's host, and what both say to each other.

Each way is a stream whose entries are numbered by the bytes sent so far, so one that is sent again is there once. A
sender may be WINDOW_BYTES ahead of what the receiver has taken. All of it lapses by itself, and none is ever logged.
"""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from aitrain.domain.errors import JobNotFound, JobNotRunning, SessionLost
from aitrain.store.connection import Connection

# Enough for a fast link, little enough for Redis and for a slow terminal.
WINDOW_BYTES = 256 * 1024
CHUNK_BYTES = 32 * 1024
# Much longer than either side may be silent.
TTL_SECONDS = 120
# Less than the connection waits for an answer.
BLOCK_MS = 1000


class Side(StrEnum):
    """Who speaks."""

    CLIENT = "client"
    AGENT = "agent"

    @property
    def other(self) -> Side:
        """The one it speaks with."""
        return Side.AGENT if self is Side.CLIENT else Side.CLIENT

    @property
    def writes(self) -> str:
        """The way that it sends on."""
        return "in" if self is Side.CLIENT else "out"


class Kind(StrEnum):
    """What an entry is: bytes, a fact in JSON, or an end."""

    IN = "in"
    EOF = "eof"
    SIZE = "size"
    OUT = "out"
    ERR = "err"
    EXIT = "exit"
    FAIL = "fail"
    ENDED = "ended"
    STATS = "stats"


@dataclass(frozen=True)
class Entry:
    """One entry. at: bytes sent with it and before it."""

    at: int
    kind: Kind
    data: bytes = field(repr=False)


@dataclass(frozen=True)
class Ask:
    """What an agent is asked. what: "exec" or "stats"; runs: the job does, in this attempt; details: of the command."""

    token: str
    job_id: str
    fence: str = field(repr=False)
    attempt: int
    runs: bool
    details: dict[str, Any] = field(repr=False)


class Sessions(Connection):
    """Asking the agent of a host, and speaking with it."""

    def open_session(self, token: str, job_id: str, details: dict[str, Any]) -> None:
        """Asks the agent of a job's host. Raises JobNotFound, JobNotRunning and SessionLost if the host is away."""
        ask = {"token": token, "id": job_id, "ask": json.dumps(details), "ttl_s": TTL_SECONDS}
        answer = self._run("open_session", ask)
        if not answer or "state" not in answer:
            raise JobNotFound(job_id)
        if answer["state"] != "RUNNING":
            raise JobNotRunning(job_id, f"is {answer['state']}")
        if answer.get("away"):
            raise SessionLost(f"host {answer['host']} of job {job_id} does not answer: is its agent running?")

    def next_ask(self, host: str) -> str | None:
        """Waits a moment for a session that a host's agent is to take up: its token."""
        found = self._ask(lambda: self._redis.blpop([self._key("asks", host)], timeout=BLOCK_MS / 1000))
        return found[1] if found else None

    def take_session(self, token: str, holder: str) -> Ask | None:
        """Takes it up; None: somebody has, or nobody waits any more."""
        held = self._run("take_session", {"token": token, "holder": holder})
        if not held or "id" not in held:
            return None
        return Ask(token, held["id"], held["fence"], int(held["attempt"]), bool(held["runs"]), json.loads(held["ask"]))

    def send_session(self, token: str, side: Side, at: int, kind: Kind, data: bytes) -> int | None:
        """Sends an entry after `at` bytes: how many are sent with it; None: the other side must take some first.

        Raises SessionLost if the session is over.
        """
        cost = max(1, len(data))
        text = base64.b64encode(data).decode()
        answer = self._run("send_session", {
            "token": token, "way": side.writes, "at": at, "kind": kind, "data": text, "cost": cost,
            "window": WINDOW_BYTES, "ttl_s": TTL_SECONDS,
        })  # fmt: skip
        if answer.get("gone"):
            raise SessionLost("the session is over")
        return at + cost if answer["sent"] else None

    def read_session(self, token: str, side: Side, taken: int) -> list[Entry]:
        """What the other side sent after `taken` bytes; waits a moment for it."""
        key = self._key("session_way", token, side.other.writes)
        found: Any = self._ask(lambda: self._redis.xread({key: f"{taken}-0"}, count=16, block=BLOCK_MS))
        if not found:
            return []
        entries = found[key][0] if isinstance(found, dict) else found[0][1]
        return [
            Entry(int(at.partition("-")[0]), Kind(fields["k"]), base64.b64decode(fields["d"])) for at, fields in entries
        ]

    def beat_session(self, token: str, side: Side, taken: int) -> int | None:
        """Says that this side is there, and has read so many bytes: for how many ms the other was silent; None: always.

        Raises SessionLost if the session is over.
        """
        answer = self._run("beat_session", {
            "token": token, "side": side, "other": side.other, "way": side.other.writes, "taken": taken,
            "ttl_s": TTL_SECONDS,
        })  # fmt: skip
        if answer.get("gone"):
            raise SessionLost("the session is over")
        silent_ms: int | None = answer.get("silent_ms")
        return silent_ms

    def drop_session(self, token: str) -> None:
        """Nobody waits any more."""
        keys = [self._key("session", token), *(self._key("session_way", token, way) for way in ("in", "out"))]
        self._change(("DEL", *keys))
