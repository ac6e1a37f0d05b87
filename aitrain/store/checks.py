"""Checks of what is to be added, data stores and registries: what clients ask control workers, and what these answer.

Both stand under a token for as long as somebody waits, and lapse by themselves.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field

from aitrain.domain.errors import Problem
from aitrain.store.connection import Connection


@dataclass(frozen=True)
class Check:
    """A data store to try. sealed: as in DataStoreRow; container: one to list, "" for the list of containers."""

    project: str
    alias: str
    container: str
    sealed: str = field(repr=False)


@dataclass(frozen=True)
class RegistryCheck:
    """A registry to log in to. sealed: user and password; ca: see RegistryEntry, "" for none."""

    project: str
    server: str
    ca: str
    sealed: str = field(repr=False)


@dataclass(frozen=True)
class CheckAnswer:
    """What came of a check. problem: why the data store cannot be used; unable: why it could not be tried, or ""."""

    problem: Problem | None = None
    unable: str = ""


class Checks(Connection):
    """Asking and answering."""

    def ask_check(self, token: str, check: Check | RegistryCheck, ttl_s: int) -> None:
        """Asks for a check, for ttl_s seconds."""
        key = self._key("check", token)
        fields = [part for field in asdict(check).items() for part in field]
        self._change(("HSET", key, *fields), ("EXPIRE", key, ttl_s))

    def asked_check(self, token: str) -> Check | None:
        """The data store that is to be tried; None: nobody waits for it any more."""
        held = self._asked(token)
        return Check(**held) if held else None

    def asked_registry_check(self, token: str) -> RegistryCheck | None:
        """The registry that is to be tried; None: nobody waits for it any more."""
        held = self._asked(token)
        return RegistryCheck(**held) if held else None

    def _asked(self, token: str) -> dict[str, str]:
        held: dict[str, str] = self._ask(lambda: self._redis.hgetall(self._key("check", token)))
        held.pop("answer", None)
        return held

    def answer_check(self, token: str, answer: CheckAnswer) -> bool:
        """Answers, if somebody still waits."""
        text = json.dumps({"problem": answer.problem and asdict(answer.problem), "unable": answer.unable})
        return bool(self._run("answer_check", {"token": token, "answer": text})["taken"])

    def check_answer(self, token: str) -> CheckAnswer | None:
        """The answer, None while there is none."""
        text = self._ask(lambda: self._redis.hget(self._key("check", token), "answer"))
        if text is None:
            return None
        held = json.loads(text)
        return CheckAnswer(Problem(**held["problem"]) if held["problem"] else None, held["unable"])

    def drop_check(self, token: str) -> None:
        """Nobody waits any more."""
        self._change(("DEL", self._key("check", token)))
