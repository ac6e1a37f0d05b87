"""Leases on steps: a worker keeps those of its running steps alive, and tells a step when it has lost its own."""

from __future__ import annotations

import logging
import os
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Generic, Protocol, TypeVar

from aitrain.domain.errors import StepCancelled, StoreUnavailable
from aitrain.settings import Timing
from workers import clock

log = logging.getLogger(__name__)


class Held(Protocol):
    """A lease of the store. holder: names one delivery of one message."""

    @property
    def holder(self) -> str: ...


LOST = "the job moved on, or the lease on its step lapsed"

L = TypeVar("L", bound=Held)


class Claim(Generic[L]):
    """A step's or a copy's claim on its work, as long as it holds."""

    def __init__(self, lease: L, until: float) -> None:
        """until: up to when the lease is known to be ours, by this machine's clock (clock.elapsed)."""
        self.lease = lease
        self.until = until
        self._lost = threading.Event()
        self._why = LOST

    def lose(self, why: str = LOST) -> None:
        """Tells the step that the job moved on, or why else it is to give up."""
        self._why = why
        self._lost.set()

    def checkpoint(self) -> None:
        """Raises StepCancelled if the claim is lost. Steps call it wherever they may stop."""
        if self._lost.is_set() or clock.elapsed() > self.until:
            raise StepCancelled(self._why)


class LeaseKeeper(Generic[L]):
    """Renews the leases of one worker, all in one call."""

    def __init__(self, renew: Callable[[Sequence[L], int], list[bool]], timing: Timing) -> None:
        """renew: the store's verb, given the leases and how many ms they are to last; False for each that is lost."""
        self._renewed = renew
        self._ttl_s, self._period_s = timing.step_lease_seconds, timing.step_renew_seconds
        self._worker = f"{os.getpid()}.{uuid.uuid4().hex[:8]}"
        self._claims: dict[str, Claim[L]] = {}
        self._lock = threading.Lock()
        self._wake = threading.Condition(self._lock)
        threading.Thread(target=self._keep, name="leases", daemon=True).start()

    @property
    def ttl_ms(self) -> int:
        """How long a lease lasts."""
        return int(self._ttl_s * 1000)

    def holder(self) -> str:
        """A name for one delivery of one message: two deliveries to the same worker do not share a lease."""
        return f"{self._worker}.{uuid.uuid4().hex[:8]}"

    def give_up(self, why: str) -> int:
        """Has all that is held be given up; how many there are. Another worker may begin them at once."""
        with self._lock:
            claims = list(self._claims.values())
        for claim in claims:
            claim.lose(why)
        return len(claims)

    @contextmanager
    def holding(self, lease: L, asked: float) -> Iterator[Claim[L]]:
        """Keeps a lease that was just taken; after that it lapses, or went with the move that ended the step.

        asked: when it was asked for, by this machine's clock: a worker that was frozen since has lost it.
        """
        claim = Claim(lease, asked + self._ttl_s)
        with self._wake:
            self._claims[lease.holder] = claim
            self._wake.notify()
        try:
            yield claim
        finally:
            with self._lock:
                del self._claims[lease.holder]

    def _keep(self) -> None:
        while True:
            with self._wake:
                self._wake.wait_for(lambda: bool(self._claims))
            time.sleep(self._period_s)
            with self._lock:
                claims = list(self._claims.values())
            if claims:
                self._renew(claims)

    def _renew(self, claims: list[Claim[L]]) -> None:
        asked = clock.elapsed()
        try:
            kept = self._renewed([claim.lease for claim in claims], self.ttl_ms)
        except StoreUnavailable as error:
            log.warning("leases could not be renewed: %s", error)
            return
        except Exception:  # this thread carries every step of the worker: it must not end
            log.exception("leases could not be renewed")
            return
        for claim, ours in zip(claims, kept, strict=True):
            if ours:
                claim.until = asked + self._ttl_s
            else:
                claim.lose()
