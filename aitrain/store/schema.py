"""The stamp of a job store: which schema it has. Whoever writes compares it, in lua/shared/call.lua.

An empty store is stamped by whoever comes first. One of another schema is refused.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from redis.exceptions import ResponseError

from aitrain.domain.errors import SchemaMismatch
from aitrain.domain.schema import SCHEMA, Stamp

# How a script says that the stamp is another one, and which; NONE: there is none.
REFUSAL, NONE = "SCHEMA ", "none"
# Keys of which a store has at least one that was used before there were stamps.
MARKS = (
    "jobs", "hosts", "flavors", "data_store_projects", "ledger_projects", "quota_limit", "over_quota", "timeout_limit",
    "priority_limit", "budgets", "policy", "sweeps",
)  # fmt: skip

Run = Callable[[str, dict[str, Any]], Any]


def stamp_in(error: ResponseError) -> str | None:
    """The stamp that a script met instead of its own; None: this is another error."""
    text = str(error)
    if not text.startswith(REFUSAL):
        return None
    stamp = text.removeprefix(REFUSAL)
    return "" if stamp == NONE else stamp


def meet(run: Run, stamp: str, marks: Sequence[str]) -> None:
    """What is done about a stamp that is not ours: an empty store is stamped, any other is refused.

    marks: keys of MARKS. Raises SchemaMismatch and StoreUnavailable.
    """
    if not stamp and run("stamp", {"schema": "", "new": str(SCHEMA), "marks": list(marks)})["stamped"]:
        return
    raise mismatch(stamp)


def mismatch(stamp: str) -> SchemaMismatch:
    """The error for a store with this stamp."""
    from importlib.metadata import version  # takes long to load

    try:
        found = Stamp.of(stamp)
    except ValueError:
        return SchemaMismatch(f"the job store's stamp {stamp!r} is none of aitrain: is redis_url or namespace right?")
    return SchemaMismatch(": ".join(found.problem(version("aitrain")) or ()), found)
