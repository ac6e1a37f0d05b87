"""Hosts as an operator deals with them: what is ordered of them, and what is to be seen."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from aitrain.domain.errors import HostNotFound, InvalidInput
from aitrain.domain.host import HostView
from aitrain.store.connection import Connection, token
from aitrain.store.records import to_host_view

# Hosts that are read in one script: a script holds up everybody else.
HOSTS_AT_ONCE = 50


@dataclass(frozen=True)
class HostRemoval:
    """The answer to an order to remove a host. done False: `why` says why not, in a word: "alive", "jobs", "not_lost".

    jobs: that it still has; if it was removed, those whose results were given up.
    """

    done: bool
    why: str | None = None
    jobs: Sequence[str] = ()


@dataclass(frozen=True)
class DeadHosts:
    """Hosts that read no queue: lost ones, and removed ones whose queues may still hold something."""

    lost: Sequence[str]
    removed: Sequence[str]


class Fleet(Connection):
    """What an operator orders of hosts."""

    def cordon(self, host: str, unit: str = "", *, by: str = "", reason: str = "", drain_ms: int | None = None) -> None:
        """Gives a host, or one of its units (its id, or flavor/id), no more jobs.

        What runs there goes on; with drain_ms, for so long before it is evicted, -1 for as long as it takes. Raises
        HostNotFound, and InvalidInput for a unit that the host does not have.
        """
        drain = {} if drain_ms is None else {"drain_ms": drain_ms}
        self._told(host, unit, self._run("cordon", {**_order(host, unit), "by": by, "reason": reason, **drain}))

    def uncordon(self, host: str, unit: str = "") -> bool:
        """Takes a cordon or a drain back. True: a job may wait for what came free. Raises as cordon does."""
        return bool(self._told(host, unit, self._run("uncordon", _order(host, unit)))["waiting"])

    def sweep_drains(self, limit: int) -> list[str]:
        """Evicts what the agents of drained hosts did not, of up to `limit` hosts; the ids of the jobs."""
        return list(self._run("sweep_drains", {"limit": limit}))

    def remove_host(self, host: str, *, force: bool, message: str, keep_ms: int) -> HostRemoval:
        """Forgets a host that is not alive and has no jobs.

        force: of a lost one, also gives up the results that it has yet to push; message: what is said of these;
        keep_ms: for how long it is to keep them if it should come back, 0 for ever. Raises HostNotFound.
        """
        arguments = {"host": host, "op": token(), "force": force, "message": message, "keep_ms": keep_ms}
        answer = self._told(host, "", self._run("remove_host", arguments))
        return HostRemoval(bool(answer["done"]), answer.get("why"), list(answer["jobs"]))

    def host_names(self) -> list[str]:
        """The names of all hosts, in order."""
        return sorted(self._ask(lambda: self._redis.zrange(self._key("hosts"), 0, -1)))

    def host_views(self, hosts: Sequence[str]) -> list[HostView]:
        """Those of the hosts that there are."""
        views: list[HostView] = []
        for first in range(0, len(hosts), HOSTS_AT_ONCE):
            rows = self._run("host_rows", {"hosts": hosts[first : first + HOSTS_AT_ONCE]})
            views += [to_host_view(row) for row in rows]
        return views

    def flavors_ever(self) -> set[str]:
        """Flavors that a host has ever offered."""
        return set(self._ask(lambda: self._redis.smembers(self._key("flavors"))))

    def dead_hosts(self) -> DeadHosts:
        """Whose queues nobody reads. Costs the hosts that are away."""
        answer = self._run("dead_hosts", {})
        return DeadHosts(list(answer["lost"]), list(answer["removed"]))

    def note_dropped(self, queue: str, count: int) -> None:
        """Counts messages that were dropped from a dead host's queue."""
        self._run("note_dropped", {"queue": queue, "count": count, "op": token()})

    def dropped(self) -> Mapping[str, int]:
        """How many messages were dropped from each queue of a dead host, as far as the host is known."""
        held = self._ask(lambda: self._redis.hgetall(self._key("dropped")))
        return {queue: int(json.loads(entry)["count"]) for queue, entry in held.items()}

    def note_refused(self, queue: str, count: int) -> None:
        """Counts messages that a worker refused to take. One that is sent again may count twice."""
        self._change(("HINCRBY", self._key("refused"), queue, count))

    def refused(self) -> Mapping[str, int]:
        """How many messages were refused, by queue; "" where that is not known."""
        held = self._ask(lambda: self._redis.hgetall(self._key("refused")))
        return {queue: int(count) for queue, count in held.items()}

    def forget_queues(self, host: str, queues: Sequence[str]) -> None:
        """A removed host's queues are gone: nothing more has to be known of it."""
        self._run("forget_queues", {"host": host, "queues": queues})

    @staticmethod
    def _told(host: str, unit: str, answer: dict[str, Any]) -> dict[str, Any]:
        match answer.get("why"):
            case "unknown_host":
                raise HostNotFound(host)
            case "unknown_unit":
                raise InvalidInput.of(
                    "unit", unit, f"is no unit of host {host}", f"`aitrain host show {host}` shows those it has"
                )
            case "ambiguous_unit":
                raise InvalidInput.of(
                    "unit", unit, f"is a unit of several flavors of host {host}", "write it as FLAVOR/ID"
                )
        return answer


def _order(host: str, unit: str) -> dict[str, str]:
    return {"host": host, "unit": unit, "op": token()}
