"""The ledger that the store writes: worked examples, months, prices, policies, and calls that come twice."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from aitrain.domain.billing import BilledJob, Policy, amount
from aitrain.domain.states import State
from aitrain.store import Seen
from tests.integration.store.one_host import BEGIN_MS, DAY, FOR_YEARS, HOUR, MINUTE, SECOND, OneHost
from workers.scratch.servers import RedisServer

FEBRUARY_MS = 1_801_440_000_000


@pytest.fixture
def site(redis: RedisServer, namespace: str) -> Iterator[OneHost]:
    site = OneHost(redis.url, namespace)
    yield site
    site.store.close()


@pytest.mark.parametrize(
    ("asked", "ran_ms", "price", "costs"),
    [
        ({"cpu": 2}, 10 * DAY, "0.03", "14.40"),
        ({"gpu": 2}, 5 * HOUR, "1.93", "19.30"),
        ({"gpu": 1}, 100, "1.93", "0.03"),
        ({"gpu": 1}, MINUTE, "1.93", "0.03"),
        ({"gpu": 1}, MINUTE + 100, "1.93", "0.06"),
    ],
)
def test_worked_examples(site: OneHost, asked: dict[str, int], ran_ms: int, price: str, costs: str) -> None:
    job_id = site.running(**asked)
    site.now_ms += ran_ms
    site.move(job_id, State.FINALIZING, ran_ms=ran_ms)
    (line,) = site.lines(job_id)
    assert (line.minutes, str(line.terms.hourly_price)) == (-(-ran_ms // MINUTE), price)
    assert amount([line]) == Decimal(costs)
    assert site.store.spent("2027-01") == {"default": line.price_minutes}


@pytest.mark.parametrize(("policy", "minutes"), [("running", 2), ("pending", 5), ("initializing", 12)])
def test_the_same_job_under_each_policy(site: OneHost, policy: str, minutes: int) -> None:
    """Data takes 7 minutes, the image 3, the command 90 s, of which 30 s are over when somebody says that it runs."""
    site.store.set_billing(Policy(policy), {})
    job_id = site.placed()
    site.store.set_billing(Policy.RUNNING, {})
    site.now_ms += 7 * MINUTE
    site.move(job_id, State.PENDING)
    site.now_ms += 3 * MINUTE + 30 * SECOND
    site.move(job_id, State.RUNNING, ran_ms=30 * SECOND)
    site.now_ms += 60 * SECOND
    site.move(job_id, State.FINALIZING, ran_ms=90 * SECOND)
    site.now_ms += HOUR
    site.move(job_id, State.DONE)
    assert site.minutes(job_id) == minutes
    assert {line.terms.policy for line in site.lines(job_id)} == {policy}


def test_a_job_that_never_ran_owes_nothing_under_any_policy(site: OneHost) -> None:
    for policy in Policy:
        site.store.set_billing(policy, {})
        job_id = site.placed()
        site.now_ms += HOUR
        site.move(job_id, State.FAILED)
        assert site.lines(job_id) == []


def test_minutes_belong_to_the_month_in_which_they_begin(site: OneHost) -> None:
    site.now_ms = FEBRUARY_MS - 90 * SECOND
    job_id = site.running(labels={"team": "red"}, user="ann", name="last-of-january")
    site.now_ms += 4 * MINUTE
    site.store.edit(job_id, labels={"team": "blue"})
    site.move(job_id, State.FINALIZING, ran_ms=4 * MINUTE)
    january, february = site.lines(job_id)
    assert (january.month, january.first, january.minutes) == ("2027-01", 0, 2)
    assert (february.month, february.first, february.minutes) == ("2027-02", 2, 2)
    assert february.begins_ms == FEBRUARY_MS + 30 * SECOND
    site.move(job_id, State.DONE)
    site.store.delete(job_id, force=False, message="gone")
    assert list(site.store.ledger_lines("default", "2027-02")) == [february], "what was billed stays"
    told = BilledJob("last-of-january", "ann", (("team", "blue"),))
    assert site.store.billed_jobs("default", "2027-02") == {job_id: told}


def test_a_price_counts_for_minutes_that_begin_after_it_was_told(site: OneHost) -> None:
    site.store.set_billing(Policy.RUNNING, {"cpu": Decimal("0.03")})
    job_id = site.running()
    site.now_ms += 10 * MINUTE + 1
    site.seen(job_id, 10 * MINUTE + 1)
    site.store.tick_billing(9)
    assert site.store.set_billing(Policy.RUNNING, {"cpu": Decimal("0.06")}) == ["cpu"]
    assert site.store.set_billing(Policy.RUNNING, {"cpu": Decimal("0.06")}) == [], "it is no news"
    site.now_ms += 10 * MINUTE
    site.move(job_id, State.FINALIZING, ran_ms=20 * MINUTE)
    before, after = site.lines(job_id)
    assert (before.minutes, after.minutes) == (11, 9)
    assert after.begins_ms >= BEGIN_MS + 10 * MINUTE + 30 * SECOND
    assert (str(before.terms.hourly_price), str(after.terms.hourly_price)) == ("0.03", "0.06")


def test_a_tick_writes_what_has_begun_and_costs_what_is_due(site: OneHost) -> None:
    job_id = site.running()
    assert site.minutes(job_id) == 1, "the first minute has begun"
    site.now_ms += 30 * SECOND
    assert site.store.tick_billing(9).looked == 0
    site.now_ms += 30 * SECOND
    site.seen(job_id, MINUTE)
    assert (site.store.tick_billing(9).looked, site.minutes(job_id)) == (1, 1), "60.0 s is one minute"
    site.now_ms += 1100
    site.seen(job_id, MINUTE + 1100)
    ticked = site.store.tick_billing(9)
    assert (ticked.looked, ticked.minutes, site.minutes(job_id)) == (1, 1, 2)
    assert site.store.tick_billing(9).looked == 0


def test_a_pass_that_catches_up_is_bounded(site: OneHost) -> None:
    jobs = [site.running() for _ in range(4)]
    site.now_ms += 6 * HOUR
    for job_id in jobs:
        site.seen(job_id, 6 * HOUR)
    first = site.store.tick_billing(3)
    second = site.store.tick_billing(3, first.until_ms)
    assert (first.looked, second.looked) == (3, 1)
    assert [site.minutes(job_id) for job_id in jobs] == [360] * 4


def test_a_hosts_clock_that_was_set_forward_is_no_bill(site: OneHost) -> None:
    job_id = site.running()
    site.now_ms += 30 * SECOND
    site.seen(job_id, DAY)
    site.move(job_id, State.FINALIZING, ran_ms=365 * DAY)
    assert site.minutes(job_id) == 1


def test_a_lost_hosts_job_is_billed_to_the_last_heartbeat(site: OneHost) -> None:
    job_id = site.running()
    site.now_ms += 10 * MINUTE
    site.seen(job_id, 9 * MINUTE)
    site.now_ms += HOUR
    site.move(job_id, State.QUEUED, pause_ms=0)
    assert site.minutes(job_id) == 9
    (end,) = site.store.get(job_id).earlier_attempts
    assert (end.minutes, end.ran_ms) == (9, 9 * MINUTE)


def test_a_move_that_is_sent_again_bills_once(site: OneHost) -> None:
    job_id = site.running()
    site.now_ms += 10 * MINUTE
    sent: list[tuple[str, dict[str, Any]]] = []
    run = site.store._run
    site.store._run = lambda name, arguments: (sent.append((name, arguments)), run(name, arguments))[1]  # type: ignore[assignment]
    site.move(job_id, State.FINALIZING, ran_ms=10 * MINUTE)
    assert run(*sent[-1])["moved"]
    site.store.tick_billing(9)
    assert site.minutes(job_id) == 10
    assert site.store.spent("2027-01") == {"default": 10 * Decimal("0.03")}


def test_an_old_fence_bills_nothing(site: OneHost) -> None:
    job_id = site.running()
    old = site.store.get(job_id).fence
    site.now_ms += MINUTE
    site.move(job_id, State.QUEUED)
    assert not site.store.transition(job_id, old, State.FINALIZING, ran_ms=MINUTE).moved
    seen = [Seen(job_id, old, MINUTE)]
    site.store.heartbeat("h1", instance="h1", fit=True, seen=seen, timing=FOR_YEARS, resend_ms=HOUR)
    assert site.minutes(job_id) == 1


def test_months_are_those_of_the_calendar(site: OneHost) -> None:
    """Of many years, leap years and ends of centuries among them."""
    for year in (2027, 2028, 2099, 2100, 2101):
        last = int(datetime(year, 3, 1, tzinfo=UTC).timestamp()) * 1000
        site.now_ms = last - 1
        job_id = site.running()
        site.now_ms += MINUTE + 1
        site.move(job_id, State.FINALIZING, ran_ms=MINUTE + 1)
        assert [line.month for line in site.lines(job_id)] == [f"{year}-02", f"{year}-03"]
        site.move(job_id, State.DONE)


def test_a_final_bill_does_not_owe_what_is_told_after(site: OneHost) -> None:
    job_id = site.running()
    site.now_ms += 10 * MINUTE
    site.move(job_id, State.FINALIZING, ran_ms=MINUTE)
    site.move(job_id, State.DONE, ran_ms=5 * MINUTE)
    assert site.store.get(job_id).ran_ms == MINUTE
    assert [line.minutes for line in site.lines(job_id)] == [1]
