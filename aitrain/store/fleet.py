"""Hosts as an operator deals with them: what is ordered of them, and what is to be seen."""

from __future__ import annotations

from typing import Any

from aitrain.domain.errors import HostNotFound, InvalidInput
from aitrain.store.connection import Connection, token


class Fleet(Connection):
    """What an operator orders of hosts."""

    def cordon(self, host: str, unit: str = "", *, by: str = "", reason: str = "") -> None:
        """Gives a host, or one of its units (its id, or flavor/id), no more jobs. What runs there goes on.

        Raises HostNotFound, and InvalidInput for a unit that the host does not have.
        """
        self._told(host, unit, self._run("cordon", {**_order(host, unit), "by": by, "reason": reason}))

    def uncordon(self, host: str, unit: str = "") -> bool:
        """Takes a cordon back. True: a job may wait for what came free. Raises as cordon does."""
        return bool(self._told(host, unit, self._run("uncordon", _order(host, unit)))["waiting"])

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
