"""Loads the Lua scripts: one file per verb, each behind the same prelude.

The prelude gives every script the keys of legend.py (K.job(id), ...), the tables of states.py (STATES, MOVES), the
SCHEMA that this version knows, the classes of durations of counting.py (BOUNDS), its argument ARG (one JSON object),
the time NOW and the functions of lua/shared, one file per duty. It is the same text for every site and every call, so
that Redis keeps one script per verb.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from importlib import resources
from typing import Any

from redis import Redis
from redis.exceptions import RedisError, ResponseError

from aitrain.domain.counting import BOUNDS_SECONDS
from aitrain.domain.errors import SchemaMismatch, StoreUnavailable
from aitrain.domain.redis_refusals import refusal
from aitrain.domain.schema import SCHEMA, Stamp
from aitrain.domain.states import STATES, TARGETS
from aitrain.store.keys import lua_functions
from aitrain.store.legend import LEGEND
from aitrain.store.schema import MARKS, meet, mismatch, stamp_in

# The functions that scripts share, in this order: a file may call what stands in those before it.
SHARED = (
    "call",
    "counters",
    "settling",
    "sealed",
    "origin",
    "jobs",
    "logs",
    "use",
    "units",
    "waiting",
    "ranking",
    "vacancies",
    "passes",
    "attempts",
    "copies",
    "deadlines",
    "months",
    "prices",
    "quota",
    "budget",
    "holds",
    "indexes",
    "ledger",
    "ends",
    "moves",
    "hosts",
    "orders",
    "evictions",
)


def _source(name: str) -> str:
    return (resources.files("aitrain.store") / "lua" / f"{name}.lua").read_text()


def _lua(value: Any) -> str:
    """A Python value as a Lua literal."""
    if isinstance(value, dict):
        return "{" + ",".join(f"[{json.dumps(str(k))}]={_lua(v)}" for k, v in value.items()) + "}"
    return json.dumps(value)


def prelude() -> str:
    """What stands before every script."""
    states = {
        state: {
            "code": row.code,
            "step": row.step or False,
            "counted": row.counted,
            "holds_units": row.holds_units,
            "on_host": row.on_host,
            "runs": row.runs,
            "ended": row.ended,
        }
        for state, row in STATES.items()
    }
    moves = {source: dict.fromkeys(sorted(targets), True) for source, targets in TARGETS.items()}
    return "\n".join(
        [
            "local ROOT = KEYS[1]",
            lua_functions(),
            f"local STATES = {_lua(states)}",
            f"local MOVES = {_lua(moves)}",
            f"local SCHEMA = '{SCHEMA}'",
            f"local BOUNDS = {{{','.join(map(str, BOUNDS_SECONDS))}}}",
            *(_source(f"shared/{name}") for name in SHARED),
        ]
    )


class Scripts:
    """Calls scripts by the name of their file: scripts("submit", {...}) runs lua/submit.lua."""

    def __init__(self, redis: Redis, root: str, site: dict[str, Any], clock_ms: Callable[[], int] | None) -> None:
        """site: part of every call's argument; clock_ms: the time to use instead of the server's, for
        simulations; None: the server's.
        """
        self._redis, self._root, self._clock_ms = redis, root, clock_ms
        self._site = site
        self._prelude = prelude()
        self._loaded: dict[str, Any] = {}

    def __call__(self, name: str, arguments: dict[str, Any]) -> Any:
        """Runs one script.

        Returns its answer, decoded from JSON. Raises StoreUnavailable if the server does not answer, and
        SchemaMismatch if what it holds is of another version.
        """
        script = self._loaded.get(name)
        if script is None:
            # In a function of its own: Lua allows 200 local names in one, and the shared ones are most of them.
            text = f"{self._prelude}\nreturn (function()\n{_source(name)}\nend)()"
            script = self._loaded[name] = self._redis.register_script(text)
        arguments = {**self._site, **arguments}
        if self._clock_ms is not None:
            arguments["now_ms"] = self._clock_ms()
        call = partial(script, keys=[self._root], args=[json.dumps(arguments)])
        with answering():
            try:
                return json.loads(call())
            except ResponseError as error:
                if (stamp := stamp_in(error)) is None:
                    raise
            if "schema" in arguments:  # it came too late to change it
                raise mismatch(stamp)
            self.meet(stamp)
            return json.loads(call())

    def meet(self, stamp: str) -> None:
        """What is done about a stamp that is not ours: an empty store is stamped, any other is refused.

        Raises SchemaMismatch and StoreUnavailable.
        """
        marks = [self._root + LEGEND[name].pattern for name in MARKS]
        try:
            meet(self, stamp, marks)
        except SchemaMismatch as other:
            if other.stamp != Stamp(SCHEMA):  # that is, another process was faster to do the same
                raise


@contextmanager
def answering() -> Iterator[None]:
    """Tells errors of Redis as StoreUnavailable."""
    try:
        yield
    except RedisError as error:
        raise _told(error) from error


def _told(error: RedisError) -> StoreUnavailable:
    if (words := refusal(str(error))) is not None:
        return StoreUnavailable(f"the job store {words}")
    if isinstance(error, ResponseError):
        return StoreUnavailable(f"the job store refused a command: {error}")
    return StoreUnavailable(f"the job store does not answer ({error}): is Redis running at redis_url?")
