"""Proofs of health: each process of the fleet says when it last got work done."""

from __future__ import annotations

from typing import Any

from aitrain.domain.counting import whole_numbers
from aitrain.domain.health import Role, Vital, Vitals
from aitrain.store.connection import Connection


class VitalSigns(Connection):
    """Telling and reading them."""

    def prove(self, role: Role, name: str) -> None:
        """A process got work done just now."""
        self._run("prove", {"role": role, "name": name})

    def tell_trouble(self, role: Role, name: str, trouble: str) -> None:
        """A process says what is wrong with itself. Its next proof takes that back."""
        self._change(("HSET", self._key("canary_trouble"), f"{role}/{name}", trouble))

    def vitals(self) -> Vitals:
        """What is known of all processes, and of the sweeps."""
        pipe = self._redis.pipeline(transaction=False)
        pipe.time()
        for key in ("canary", "canary_trouble", "sweeps"):
            pipe.hgetall(self._key(key))
        answers: Any = self._ask(pipe.execute)
        (seconds, micros), proved, troubles, sweeps = answers
        proved = whole_numbers(proved)
        of = tuple(
            Vital(Role(role), name, proved.get(field), troubles.get(field, ""))
            for field in sorted(proved.keys() | troubles.keys())
            for role, _, name in [field.partition("/")]
            if role in set(Role)
        )
        return Vitals(
            int(seconds) * 1000 + int(micros) // 1000,
            of,
            whole_numbers(sweeps),
        )
