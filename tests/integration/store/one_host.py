"""A site of one host, whose clock goes on when a test says so."""

from __future__ import annotations

import uuid
from typing import Any

from aitrain.domain.admission import Site, admit
from aitrain.domain.billing import LedgerLine
from aitrain.domain.flavor import BUILT_IN
from aitrain.domain.owed import owed
from aitrain.domain.placement import place
from aitrain.domain.spec import JobSpec
from aitrain.domain.states import State
from aitrain.store import HostTiming, Seen, Store

SITE = Site(BUILT_IN, (), 0, 0)
FOR_YEARS = HostTiming(10**13, 10**13)
SECOND, MINUTE, HOUR, DAY = 1000, 60_000, 3_600_000, 86_400_000
# 2027-01-10 00:00 UTC
BEGIN_MS = 1_799_539_200_000


class OneHost:
    """A site of one host, whose clock goes on when it is told to."""

    def __init__(self, url: str, namespace: str) -> None:
        self.now_ms = BEGIN_MS
        self.store = Store(url, namespace=namespace, clock_ms=lambda: self.now_ms)
        units = {"cpu": [f"c{n}" for n in range(12)], "v100s": [f"g{n}" for n in range(4)]}
        self.store.join_host("h1", instance="h1", units=units, max_jobs=9, timing=FOR_YEARS)

    def placed(self, *, cpu: int = 1, gpu: int = 0, **spec: Any) -> str:
        resources = {"gpu": gpu} if gpu else {"cpu": cpu}
        admitted = admit(JobSpec.of(image="busybox:latest", resources=resources, **spec), SITE)
        job = self.store.submit(str(uuid.uuid4()), admitted).job
        assert self.place(job.id)
        return job.id

    def place(self, job_id: str) -> bool:
        """Whether it got its units now."""
        plan = place(self.store.placement_view()).assignments
        return any(self.store.assign(one) is not None for one in plan if one.job_id == job_id)

    def move(self, job_id: str, to: State, **with_: Any) -> None:
        assert self.store.transition(job_id, self.store.get(job_id).fence, to, **with_).moved

    def running(self, **spec: Any) -> str:
        job_id = self.placed(**spec)
        self.move(job_id, State.PENDING)
        self.move(job_id, State.RUNNING, ran_ms=0)
        return job_id

    def seen(self, job_id: str, ran_ms: int) -> None:
        """A heartbeat."""
        seen = [Seen(job_id, self.store.get(job_id).fence, ran_ms)]
        assert self.store.heartbeat("h1", instance="h1", fit=True, seen=seen, timing=FOR_YEARS, resend_ms=HOUR)

    def lines(self, job_id: str) -> list[LedgerLine]:
        """Those of a job; what it owes must be the same."""
        job = self.store.get(job_id)
        held = [line for line in self.store.ledger_lines(job.project) if line.job_id == job_id]
        held.sort(key=lambda line: (line.attempt, line.first))
        assert held == owed(job, self.store.prices(job.flavor))
        return held

    def minutes(self, job_id: str) -> int:
        return sum(line.minutes for line in self.lines(job_id))
