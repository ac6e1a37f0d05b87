"""Budgets: new jobs refused, worst cases set aside, warned once, stopped and held at the limit, let in again."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Iterator
from decimal import Decimal

import pytest

from aitrain.domain.admission import Site, admit
from aitrain.domain.billing import month_end_ms
from aitrain.domain.budget import Budget, BudgetRule, BudgetView
from aitrain.domain.errors import BudgetExceeded, InvalidInput
from aitrain.domain.flavor import Flavor, Kind
from aitrain.domain.job import Job
from aitrain.domain.placement import place
from aitrain.domain.quota import OverQuota, QuotaKind
from aitrain.domain.retry import Again
from aitrain.domain.spec import JobSpec
from aitrain.domain.states import EndCause, State
from aitrain.domain.waiting import Reason
from aitrain.store import HostTiming, Store
from workers.scratch.servers import RedisServer

TIMING = HostTiming(10**12, 10**12)
# 0.60 an hour: a minute of a unit costs 0.01.
FLAVORS = {"cpu": Flavor(kind=Kind.CPU, cpu=1, memory_gib=1, hourly_price=Decimal("0.60"), default=True)}
SITE = Site(FLAVORS, {"s3"}, 600, 0)
MINUTE_MS = 60_000


class Clock:
    """The store's clock, in the middle of a month."""

    now_ms = 1_797_000_000_000

    def __call__(self) -> int:
        return self.now_ms


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def store(redis: RedisServer, namespace: str, clock: Clock) -> Iterator[Store]:
    store = Store(redis.url, namespace=namespace, clock_ms=clock)
    store.join_host("h1", instance="one", units={"cpu": [str(n) for n in range(8)]}, max_jobs=9, timing=TIMING)
    yield store
    store.close()


def budget(store: Store, amount: str, rule: BudgetRule = BudgetRule.REFUSE, **more: object) -> None:
    store.set_budget(Budget.model_validate({"project": "red", "amount": amount, "rule": rule, **more}))


def view(store: Store) -> BudgetView:
    return store.budgets()[0]


def figures(store: Store) -> tuple[str, str, str]:
    stands = view(store)
    return f"{stands.spent:.2f}", f"{stands.set_aside:.2f}", f"{stands.left:.2f}"


def submitted(store: Store, minutes: int = 10, **fields: object) -> Job:
    asked = {"project": "red", "resources": {"cpu": 1}, "timeout": minutes * 60, **fields}
    return store.submit(str(uuid.uuid4()), admit(JobSpec.of(image="x", **asked), SITE)).job


def running(store: Store, job: Job) -> Job:
    for assignment in place(store.placement_view()).assignments:
        assert store.assign(assignment)
    job = store.get(job.id)
    for state in (State.PENDING, State.RUNNING):
        assert store.transition(job.id, job.fence, state, fields={"started_ms": 1}).moved
    return store.get(job.id)


def runs_for(store: Store, clock: Clock, job: Job, minutes: int, to: State, **more: object) -> None:
    """The job has run for so many whole minutes in all when it moves."""
    clock.now_ms = max(clock.now_ms, (job.begun_ms or 0) + minutes * MINUTE_MS)
    assert store.transition(job.id, job.fence, to, ran_ms=minutes * MINUTE_MS, **more).moved  # type: ignore[arg-type]


def test_a_job_that_could_not_finish_within_what_is_left_is_refused_with_the_figures(
    store: Store, clock: Clock
) -> None:
    budget(store, "0.12")
    first = running(store, submitted(store, 12))
    runs_for(store, clock, first, 5, State.FINALIZING, cause=EndCause.COMPLETED)
    assert store.transition(first.id, first.fence, State.DONE).moved
    assert figures(store) == ("0.05", "0.00", "0.07")
    assert submitted(store, 7)
    with pytest.raises(BudgetExceeded) as caught:
        submitted(store, 4, resources={"cpu": 2})
    assert "0.12" in str(caught.value)
    assert (caught.value.spent, caught.value.asked) == (Decimal("0.05"), Decimal("0.08"))
    with pytest.raises(BudgetExceeded):
        store.start(first.id, "again")
    assert store.edit(first.id, timeout_s=420).done, "an ended job costs nothing"
    assert store.start(first.id, "again").done


def test_a_job_without_a_timeout_is_refused_under_a_budget(store: Store) -> None:
    free = Site(FLAVORS, {"s3"}, 0, 0)
    unbounded = admit(JobSpec.of(image="x", project="red", resources={"cpu": 1}), free)
    job = store.submit(str(uuid.uuid4()), unbounded).job
    budget(store, "100")
    with pytest.raises(InvalidInput, match="timeout"):
        store.submit(str(uuid.uuid4()), unbounded)
    assert store.get(job.id).state is State.QUEUED


def test_with_reserve_accepted_jobs_cannot_pass_the_limit_together(
    store: Store, redis: RedisServer, namespace: str, clock: Clock
) -> None:
    budget(store, "1.00", BudgetRule.RESERVE)
    refused = []

    def produce() -> None:
        own = Store(redis.url, namespace=namespace, clock_ms=clock)
        for _ in range(3):
            try:
                submitted(own)
            except BudgetExceeded as error:
                refused.append(error)
        own.close()

    threads = [threading.Thread(target=produce) for _ in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(refused) == 26, "ten of 0.10 fit"
    assert figures(store) == ("0.00", "1.00", "0.00")


def test_what_is_set_aside_shrinks_as_minutes_are_billed_and_goes_at_the_end(store: Store, clock: Clock) -> None:
    budget(store, "0.20", BudgetRule.RESERVE)
    job = running(store, submitted(store, 10))
    assert figures(store) == ("0.01", "0.09", "0.10")
    store.edit(job.id, timeout_s=15 * 60)
    assert figures(store) == ("0.01", "0.14", "0.05")
    with pytest.raises(BudgetExceeded):
        store.edit(job.id, timeout_s=21 * 60)
    assert store.edit(job.id, timeout_s=21 * 60, by_job=True).why == "budget"
    runs_for(store, clock, job, 4, State.FINALIZING, cause=EndCause.COMPLETED)
    assert figures(store) == ("0.04", "0.00", "0.16")


def test_a_restart_that_does_not_fit_is_held_until_the_budget_is_raised(store: Store, clock: Clock) -> None:
    budget(store, "0.15", BudgetRule.RESERVE)
    job = running(store, submitted(store, 10, auto_restart=True))
    runs_for(store, clock, job, 10, State.FINALIZING, cause=EndCause.TIMED_OUT)
    assert store.transition(job.id, job.fence, State.QUEUED, again=Again.RESTART).moved
    assert store.get(job.id).held == "budget"
    assert place(store.placement_view()).assignments == []
    told = store.explain(job.id)
    assert told.reason is Reason.BUDGET
    assert "budget of 0.15" in told.message
    assert "may cost 0.10" in told.message
    budget(store, "0.20", BudgetRule.RESERVE)
    assert store.get(job.id).held == ""
    assert figures(store) == ("0.10", "0.10", "0.00")
    assert len(place(store.placement_view()).assignments) == 1


def test_a_lost_host_keeps_what_is_set_aside_right(store: Store, clock: Clock) -> None:
    budget(store, "1.00", BudgetRule.RESERVE)
    job = running(store, submitted(store, 10))
    runs_for(store, clock, job, 3, State.QUEUED, cause=EndCause.HOST_LOST, again=Again.PLATFORM)
    assert figures(store) == ("0.03", "0.10", "0.87")
    store.stop(job.id, "enough")
    assert figures(store) == ("0.03", "0.00", "0.97")


def test_the_warning_is_given_once_a_month(store: Store, clock: Clock) -> None:
    budget(store, "0.10", warn_percent=50)
    job = running(store, submitted(store, 10))
    assert store.sweep_budgets(9, "spent").warned == []
    runs_for(store, clock, job, 5, State.FINALIZING, cause=EndCause.COMPLETED)
    (warned,) = store.sweep_budgets(9, "spent").warned
    assert (warned.project, warned.limit, warned.spent) == ("red", Decimal("0.10"), Decimal("0.05"))
    assert store.sweep_budgets(9, "spent").warned == []
    assert view(store).warned
    clock.now_ms = month_end_ms(clock.now_ms)
    assert (view(store).warned, figures(store)) == (False, ("0.00", "0.00", "0.10"))


def test_at_the_limit_what_runs_is_stopped_and_what_waits_is_held_until_the_month_turns(
    store: Store, clock: Clock
) -> None:
    budget(store, "0.10", stop=True)
    job = running(store, submitted(store, 10))
    waits = submitted(store, 8)
    runs_for(store, clock, job, 9, State.TIMEOUT)
    assert store.sweep_budgets(9, "spent").held == []
    runs_for(store, clock, job, 10, State.FINALIZING, cause=EndCause.TIMED_OUT)
    enforced = store.sweep_budgets(9, "spent")
    assert (enforced.stopped, enforced.held) == ([], [waits.id])
    assert (store.sweep_budgets(9, "spent").held, store.sweep_holds()) == ([], 0)
    assert store.explain(waits.id).reason is Reason.BUDGET
    clock.now_ms = month_end_ms(clock.now_ms)
    assert store.sweep_holds() == 1
    assert store.get(waits.id).held == ""


def test_a_running_job_is_stopped_for_good_at_the_limit(store: Store, clock: Clock) -> None:
    one, two = submitted(store, 60, auto_restart=True), submitted(store, 60)
    running(store, one)
    two = store.get(two.id)
    assert two.state is State.INITIALIZING
    budget(store, "0.01", stop=True)
    enforced = store.sweep_budgets(9, "the budget is spent")
    assert set(enforced.stopped) == {one.id, two.id}
    job = store.get(one.id)
    assert (job.state, job.end_cause, job.stop_asked) == (State.INTERRUPTING, EndCause.BUDGET_REACHED, True)
    assert job.message == "the budget is spent"
    assert store.sweep_budgets(9, "again").stopped == []


def test_a_held_job_over_its_quota_minds_the_budget_too(store: Store, clock: Clock) -> None:
    store.set_quota("red", QuotaKind.JOBS, 1)
    store.set_over_quota("red", OverQuota.HOLD)
    budget(store, "0.15", BudgetRule.RESERVE)
    first, second = submitted(store, 10), submitted(store, 5)
    assert store.get(second.id).held == "quota"
    clock.now_ms += 1
    third = submitted(store, 5)
    store.set_quota("red", QuotaKind.JOBS, None)
    assert (store.get(first.id).held, store.get(second.id).held) == ("", "")
    assert store.get(third.id).held, "what is set aside leaves no room for it"
    store.remove_budget("red")
    assert store.get(third.id).held == ""
