"""Random histories of billed jobs: whatever comes late, twice or never, the ledger is what the history owes.

What happened on the host is known here, apart from the store: so the bill is also held against that, minute by minute.
HISTORIES=n runs n times as many.
"""

from __future__ import annotations

import os
import uuid
from collections import Counter
from dataclasses import dataclass, field
from decimal import Decimal
from fractions import Fraction
from typing import Any

from hypothesis import HealthCheck, Phase, example, given, settings
from hypothesis import strategies as st

from aitrain.audit import Audit
from aitrain.domain.billing import Policy, month_of
from aitrain.domain.owed import owed
from aitrain.domain.retry import Again
from aitrain.domain.states import STATES, State
from aitrain.store import Seen
from tests.integration.store.one_host import DAY, FOR_YEARS, HOUR, MINUTE, OneHost
from workers.scratch.servers import RedisServer

EXAMPLES = 20 * int(os.environ.get("HISTORIES", "1"))
END_OF_MONTH_MS = 1_801_440_000_000
SENT_AGAIN = ("transition", "heartbeat", "tick_billing", "set_billing")


@dataclass
class Truth:
    """One attempt as its host knows it. Times by the one true clock, ms; over: how long it ran and was told to have."""

    attempt: int
    policy: Policy
    placed_ms: int
    pending_ms: int = 0
    began_ms: int | None = None
    over: int | None = None
    told_ms: int = 0


@dataclass
class World(OneHost):
    """One site, and what happens to it."""

    url: str
    namespace: str
    truths: dict[str, list[Truth]] = field(default_factory=dict)
    prices: list[tuple[int, str, Decimal]] = field(default_factory=list)
    policy: Policy = Policy.RUNNING

    def __post_init__(self) -> None:
        super().__init__(self.url, self.namespace)
        self.now_ms = END_OF_MONTH_MS - HOUR
        self._send = self.store._run
        self.store._run = self._again  # type: ignore[assignment]
        self.twice = False

    def _again(self, name: str, arguments: dict[str, Any]) -> Any:
        """A connection that broke before the answer came: the client sends the call again."""
        answer = self._send(name, arguments)
        return self._send(name, arguments) if self.twice and name in SENT_AGAIN else answer

    def step(self, what: str, which: int, ms: int, *, twice: bool) -> None:
        self.twice = twice
        self.now_ms += ms
        jobs = sorted(self.truths)
        job_id = jobs[which % len(jobs)] if jobs else ""
        getattr(self, what)(job_id, which)

    # ── what happens ────────────────────────────────────────────────────────────────────────────────────────────

    def submits(self, _: str, which: int) -> None:
        if len(self.truths) < 4:
            job_id = self.placed(gpu=1) if which % 2 else self.placed(cpu=1 + which % 3 // 2)
            self.truths[job_id] = [Truth(1, self.policy, self.now_ms)]

    def goes_on(self, job_id: str, which: int) -> None:
        """As steps and agent move it."""
        job = self.store.get(job_id) if job_id else None
        if job is None:
            return
        truth = self.truths[job_id][-1]
        match job.state:
            case State.QUEUED:
                self.places(job_id)
            case State.INITIALIZING:
                truth.pending_ms = self.now_ms
                self.move(job_id, State.PENDING)
            case State.PENDING:
                # Somebody says so a little later.
                truth.began_ms = max(truth.pending_ms, self.now_ms - which % 20_000)
                age_ms = self.now_ms - truth.began_ms
                truth.told_ms = age_ms if which % 2 else 0
                self.move(job_id, State.RUNNING, age_ms=age_ms, ran_ms=truth.told_ms or None)
            case State.RUNNING | State.TIMEOUT | State.INTERRUPTING if truth.began_ms is not None:
                truth.over = truth.told_ms = max(truth.told_ms, self.now_ms - truth.began_ms - which % 3000)
                self.move(job_id, State.FINALIZING, ran_ms=truth.over)
            case State.FINALIZING:
                self.move(job_id, State.QUEUED if which % 3 == 0 and job.auto_restart else State.DONE)

    def is_seen(self, job_id: str, which: int) -> None:
        """A heartbeat, which may tell of a while ago, or of an hour that never was."""
        if job_id and self.truths[job_id][-1].began_ms is not None and self.runs(job_id):
            truth = self.truths[job_id][-1]
            truth.told_ms = max(truth.told_ms, self.now_ms - (truth.began_ms or 0) - which % 5000)
            self.seen(job_id, truth.told_ms)

    def is_stopped(self, job_id: str, which: int) -> None:
        if job_id and self.truths[job_id][-1].began_ms is not None:
            self.store.stop(job_id, "stopped")

    def loses_its_host(self, job_id: str, which: int) -> None:
        if job_id and self.runs(job_id) and self.truths[job_id][-1].began_ms is not None:
            job = self.store.get(job_id)
            to = State.QUEUED if job.state is State.RUNNING and which % 3 else State.ERROR
            self.move(job_id, to, again=Again.PLATFORM) if to is State.QUEUED else self.move(job_id, to)

    def is_started_again(self, job_id: str, which: int) -> None:
        if job_id and self.store.get(job_id).ended:
            self.store.start(job_id, "again")

    def beat_ticks(self, _: str, which: int) -> None:
        batch = 1 + which % 3
        ticked = self.store.tick_billing(batch)
        while ticked.looked == batch:
            ticked = self.store.tick_billing(batch, ticked.until_ms)

    def price_changes(self, _: str, which: int) -> None:
        flavor, price = ("cpu", "v100s")[which % 2], Decimal(which % 5).scaleb(-6) + Decimal("0.1")
        self.store.set_billing(self.policy, {flavor: price})

    def policy_changes(self, _: str, which: int) -> None:
        self.policy = list(Policy)[which % 3]
        self.store.set_billing(self.policy, {})

    def an_old_message_comes(self, job_id: str, which: int) -> None:
        """Of a fence that is not the current one."""
        if job_id:
            seen = [Seen(job_id, "1.0000000000000000", DAY)]
            self.store.heartbeat("h1", instance="h1", fit=True, seen=seen, timing=FOR_YEARS, resend_ms=HOUR)
            assert not self.store.transition(job_id, "1.0000000000000000", State.FINALIZING, ran_ms=DAY).moved

    # ── what must be true ───────────────────────────────────────────────────────────────────────────────────────

    def places(self, job_id: str) -> None:
        if self.place(job_id):
            self.truths[job_id].append(Truth(self.store.get(job_id).attempt, self.policy, self.now_ms))

    def runs(self, job_id: str) -> bool:
        return STATES[self.store.get(job_id).state].runs

    def check(self) -> None:
        self.twice = False
        # All that run end, so that every minute is owed.
        for job_id in self.truths:
            if self.runs(job_id):
                self.goes_on(job_id, 0)
        found: list[object] = []
        Audit(self.store, None, None, found.append).run()
        assert found == []
        exact: Counter[str] = Counter()
        for job_id, truths in self.truths.items():
            job = self.store.get(job_id)
            lines = owed(job, self.store.prices(job.flavor))
            minutes = Counter(line.attempt for line in lines for _ in range(line.minutes))
            # One that was stopped before it had a host has no truth, and owes nothing.
            assert minutes == +Counter({truth.attempt: self.minutes_of(truth) for truth in truths})
            for line in lines:
                unit = Fraction(str(line.terms.hourly_price)) * line.terms.units
                for minute in range(line.minutes):
                    exact[month_of(line.begins_ms + minute * MINUTE)] += unit  # type: ignore[assignment]
        for month, price_minutes in exact.items():
            assert Fraction(self.store.spent(month)["default"]) == price_minutes

    @staticmethod
    def minutes_of(truth: Truth) -> int:
        """By the truth: a host that was lost is billed to its last word."""
        if truth.began_ms is None:
            return 0
        starts = {Policy.INITIALIZING: truth.placed_ms, Policy.PENDING: truth.pending_ms}
        elapsed_ms = truth.began_ms - starts.get(truth.policy, truth.began_ms) + truth.told_ms
        return max(1, -(-elapsed_ms // MINUTE))


WHATS = (
    "submits", "goes_on", "goes_on", "goes_on", "is_seen", "is_seen", "beat_ticks", "is_stopped", "loses_its_host",
    "is_started_again", "beat_ticks", "price_changes", "policy_changes", "an_old_message_comes",
)  # fmt: skip
PAUSES = st.one_of(st.integers(0, 3000), st.integers(0, 5 * MINUTE), st.integers(0, HOUR))
STEP = st.tuples(st.sampled_from(WHATS), st.integers(0, 10**6), PAUSES, st.booleans())
STEPS = st.lists(STEP, min_size=25, max_size=60)


# Its second attempt is stopped before it has a host, so the second that runs is the third.
ONE_NEVER_RUNS = [
    (what, 1, 100, False)
    for what in (
        *["goes_on"] * 4, "is_started_again", "is_stopped", "is_started_again", *["goes_on"] * 4,
    )
]  # fmt: skip


# Shrinking a history takes minutes; the failing one is printed as it is.
PHASES = (Phase.explicit, Phase.reuse, Phase.generate)


@settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck), phases=PHASES)
@given(policy=st.integers(0, 2), steps=STEPS)
@example(policy=0, steps=ONE_NEVER_RUNS)
def test_the_ledger_is_what_happened(redis: RedisServer, policy: int, steps: list[tuple[str, int, int, bool]]) -> None:
    world = World(redis.url, f"b{uuid.uuid4().hex[:12]}")
    try:
        world.step("policy_changes", policy, 0, twice=False)
        world.step("submits", 0, 0, twice=False)
        for what, which, ms, twice in steps:
            world.step(what, which, ms, twice=twice)
        world.check()
    finally:
        if names := world.store._redis.keys(f"{{{world.namespace}}}*"):
            world.store._redis.delete(*names)
        world.store.close()
