"""Has a control worker try what is to be added, and waits for its answer."""

from __future__ import annotations

import time
from contextlib import suppress
from math import ceil

from aitrain.broker import Broker
from aitrain.domain.errors import CheckUnavailable, InvalidInput, StoreUnavailable
from aitrain.store import Check, CheckAnswer, RegistryCheck, Store, token

POLL_SECONDS = 0.1


class Checking:
    """For one client."""

    def __init__(self, store: Store, broker: Broker, wait_s: float) -> None:
        """wait_s: so many seconds an answer is waited for."""
        self._store, self._broker, self._wait_s = store, broker, wait_s

    def ask(self, check: Check | RegistryCheck, duty: str, **subject: str) -> None:
        """Returns if it can be used.

        duty: of the control workers that tries it; subject: what it is called, as registry="r.example". Raises
        InvalidInput if it cannot be used, CheckUnavailable and BrokerUnavailable if it could not be tried.
        """
        name = token()
        try:
            # Kept a little longer than it is waited for, in case this process is killed meanwhile.
            self._store.ask_check(name, check, ttl_s=ceil(2 * self._wait_s))
            self._broker.send_check(name, check.project, duty, **subject)
            answer = self._answer(name)
        finally:
            with suppress(StoreUnavailable):
                self._store.drop_check(name)
        if answer.unable:
            raise CheckUnavailable(f"it could not be tried, and is not kept: {answer.unable}")
        if answer.problem is not None:
            raise InvalidInput([answer.problem])

    def _answer(self, name: str) -> CheckAnswer:
        deadline = time.monotonic() + self._wait_s
        while time.monotonic() < deadline:
            answer = self._store.check_answer(name)
            if answer is not None:
                return answer
            time.sleep(POLL_SECONDS)
        return CheckAnswer(
            unable=f"no control worker answered within {self._wait_s:g} s; start `aitrain control`, or add it unchecked"
        )
