"""Rules of billing, for the machine that drives a store: ticks, prices, policies, and the ledger that comes of it."""

from __future__ import annotations

from collections import Counter
from decimal import Decimal

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule
from redis import Redis

from aitrain.domain.billing import LedgerLine, Policy
from aitrain.domain.owed import billed_runs, lines_owed
from aitrain.store import Store
from aitrain.store.keys import Keys

PROJECTS, FLAVORS = ("red", "blue"), ("cpu", "v100s")


class BillingRules(RuleBasedStateMachine):
    """Rules, for the machine that drives a store with a clock of its own."""

    store: Store
    redis: Redis
    keys: Keys
    now_ms: int

    @rule(batch=st.integers(1, 3), late_ms=st.integers(0, 90_000))
    def tick(self, batch: int, late_ms: int) -> None:
        """One pass. Ticks may be missed, late, doubled."""
        self.now_ms += late_ms
        ticked = self.store.tick_billing(batch)
        while ticked.looked == batch:
            ticked = self.store.tick_billing(batch, ticked.until_ms)
        assert self.store.tick_billing(100, ticked.until_ms).looked == 0

    @rule(policy=st.sampled_from(Policy), cents=st.integers(0, 3), flavor=st.sampled_from(FLAVORS))
    def set_billing(self, policy: Policy, cents: int, flavor: str) -> None:
        self.store.set_billing(policy, {flavor: Decimal(cents).scaleb(-2)})

    @rule()
    def the_ledger_is_what_the_histories_owe(self) -> None:
        """Of jobs that run, what is written so far. What deleted jobs were billed stays; sums are exact.

        Reading every job whole takes long: so it is looked at now and then, and at the end.
        """
        prices = {flavor: self.store.prices(flavor) for flavor in FLAVORS}
        held: dict[str, list[LedgerLine]] = {}
        totals: Counter[str] = Counter()
        for project in PROJECTS:
            for line in self.store.ledger_lines(project):
                held.setdefault(line.job_id, []).append(line)
                totals[f"{line.month}/{project}"] += line.price_minutes  # type: ignore[assignment]
        for job in self.store.get_many(self.redis.zrange(self.keys("jobs"), 0, -1)):
            owed = [
                line
                for run in billed_runs(job)
                for line in lines_owed(job, run, prices[job.flavor], run.minutes if run.over else run.written)
            ]
            assert sorted(held.get(job.id, []), key=lambda line: (line.attempt, line.first)) == owed
        assert dict(totals) == {
            f"{month}/{project}": spent
            for month in {line.month for lines in held.values() for line in lines}
            for project, spent in self.store.spent(month).items()
        }
