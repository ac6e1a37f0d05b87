"""The part of the random histories that is about limits: quotas, held jobs, budgets."""

from __future__ import annotations

from collections import Counter
from decimal import Decimal

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule
from redis import Redis

from aitrain.domain.admission import Admitted
from aitrain.domain.billing import month_of
from aitrain.domain.budget import Budget, BudgetRule, fits, worst_case
from aitrain.domain.quota import OverQuota, QuotaKind
from aitrain.domain.states import STATES, State
from aitrain.domain.waiting import Reason
from aitrain.store import Store
from aitrain.store.keys import Keys

PROJECTS, FLAVORS = ("red", "blue"), ("cpu", "v100s")


class LimitRules(RuleBasedStateMachine):
    """Rules and what must hold, for the machine that drives a store with a clock of its own."""

    store: Store
    redis: Redis
    keys: Keys
    now_ms: int
    month: str

    def _jobs(self) -> dict[str, dict[str, str]]:
        raise NotImplementedError

    def _affords(self, admitted: Admitted) -> bool:
        """Whether a new job is within its project's budget, by the pure rules."""
        project = admitted.spec.project
        budget = next((view.budget for view in self.store.budgets() if view.budget.project == project), None)
        if budget is None:
            return True
        told = self.store.prices(admitted.flavor)
        price = told[-1].hourly_price if told else admitted.hourly_price
        beyond_ms = 60_000 if budget.rule is BudgetRule.RESERVE else 0
        asked = worst_case(admitted.units, admitted.timeout_s, price, beyond_ms=beyond_ms)
        spent = int(self.redis.hget(self.keys("spent", month_of(self.now_ms)), project) or 0)
        aside = int(self.redis.hget(self.keys("set_aside"), project) or 0)
        return asked is not None and fits(budget, spent=spent, set_aside=aside, asked=asked)

    @rule(project=st.sampled_from(PROJECTS), kind=st.sampled_from(QuotaKind), limit=st.none() | st.integers(0, 6))
    def set_quota(self, project: str, kind: QuotaKind, limit: int | None) -> None:
        self.store.set_quota(project, kind, limit)

    @rule(project=st.sampled_from(PROJECTS), what=st.none() | st.sampled_from(OverQuota))
    def set_over_quota(self, project: str, what: OverQuota | None) -> None:
        self.store.set_over_quota(project, what)

    @rule()
    def let_in(self) -> None:
        """Whatever makes room lets in; only the month turns by itself, and prices do."""
        before, self.month = self.month, month_of(self.now_ms)
        prices = any(self.store.prices(flavor) for flavor in FLAVORS)
        assert self.store.sweep_holds() == 0 or before != self.month or prices

    @rule(
        project=st.sampled_from(PROJECTS),
        cents=st.none() | st.sampled_from([0, 1, 3, 10, 100]),
        rule=st.sampled_from(BudgetRule),
        stop=st.booleans(),
    )
    def set_budget(self, project: str, cents: int | None, rule: BudgetRule, stop: bool) -> None:
        if cents is None:
            self.store.remove_budget(project)
        else:
            budget = Budget(project=project, amount=Decimal(cents).scaleb(-1), rule=rule, stop=stop)
            self.store.set_budget(budget, beyond_ms=60_000)

    @rule(limit=st.integers(1, 100))
    def enforce_budgets(self, limit: int) -> None:
        views = {view.budget.project: view for view in self.store.budgets()}
        enforced = self.store.sweep_budgets(limit, "spent")
        for job_id in (*enforced.stopped, *enforced.held):
            job = self.store.get(job_id)
            view = views[job.spec.project]
            assert view.budget.stop
            assert view.spent >= view.budget.amount
            assert (job.held, job.state) in {("budget", State.QUEUED), ("", State.INTERRUPTING)}
            assert job.stop_asked == (job.state is State.INTERRUPTING)
        for view in self.store.budgets():
            warns = view.spent * 100 >= view.budget.amount * view.budget.warn_percent
            assert not warns or view.warned

    @invariant()
    def held_jobs_are_those_for_which_there_is_no_room(self) -> None:
        """They wait by priority and arrival, in no line, and the first of each kind is in nobody's way."""
        held: dict[str, list[tuple[int, int, str]]] = {}
        for job_id, job in self._jobs().items():
            if "held" in job:
                assert job["state"] == State.QUEUED
                turn = (-int(job["priority"]), int(job["state_ms"]), job_id)
                held.setdefault(f"{job['project']}/{job['kind']}", []).append(turn)
        assert self.redis.smembers(self.keys("held_kinds")) == set(held)
        for field, turns in held.items():
            ids = self.redis.zrange(self.keys("held", *field.split("/")), 0, -1)
            assert ids == [job_id for _, _, job_id in sorted(turns)]
            assert self.store.explain(ids[0]).reason in (Reason.QUOTA, Reason.BUDGET)

    @invariant()
    def what_is_set_aside_is_the_worst_case_of_live_jobs(self) -> None:
        """Of projects that reserve; and the index of live jobs is right."""
        budgets = {view.budget.project: view.budget for view in self.store.budgets()}
        reserving = {project for project, budget in budgets.items() if budget.rule is BudgetRule.RESERVE}
        told = {flavor: [one.hourly_price for one in self.store.prices(flavor)] for flavor in FLAVORS}
        aside: Counter[str] = Counter()
        live: dict[str, set[str]] = {project: set() for project in PROJECTS}
        for job_id, job in self._jobs().items():
            row = STATES[State(job["state"])]
            if not row.runs and (not row.counted or "held" in job):
                assert "set_aside" not in job
                continue
            live[job["project"]].add(job_id)
            aside[job["project"]] += int(job.get("set_aside", 0))
            # A price that has changed counts when the job is looked at next.
            prices = [Decimal(job["hourly_price"]), *told[job["flavor"]]]
            worst = {
                worst_case(
                    int(job["units"]), int(job["timeout_s"]), price, beyond_ms=60_000,
                    billed=int(job.get("billed_minutes", 0)),
                ) or 0
                for price in prices
            }  # fmt: skip
            assert int(job.get("set_aside", 0)) in (worst if job["project"] in reserving else {0})
        for project in PROJECTS:
            assert self.redis.smembers(self.keys("live", project)) == live[project]
            assert int(self.redis.hget(self.keys("set_aside"), project) or 0) == aside[project]
