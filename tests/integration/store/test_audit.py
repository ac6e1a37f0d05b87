"""The audit finds what is wrong with a ledger, names it, and finds nothing where nothing is."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from redis import Redis

from aitrain.audit import Audit
from aitrain.domain.admission import admit
from aitrain.domain.audit import Audited, Difference
from aitrain.domain.spec import JobSpec
from aitrain.domain.states import State
from aitrain.store.keys import Keys
from tests.integration.store.one_host import DAY, MINUTE, SITE, OneHost
from workers.scratch.servers import RedisServer

MONTH = "2027-01"


class Books(OneHost):
    """A ledger that can be spoilt."""

    def __init__(self, url: str, namespace: str) -> None:
        super().__init__(url, namespace)
        self.redis: Any = Redis.from_url(url, decode_responses=True)
        self.keys = Keys(namespace)
        self.ledger = self.keys("ledger", "default", MONTH)

    def audit(self, **only: str | None) -> tuple[Audited, list[Difference]]:
        found: list[Difference] = []
        asked = {"project": None, "month": None, **only}
        done = Audit(self.store, asked["project"], asked["month"], found.append).run()
        assert done.differences == len(found)
        return done, found

    def ended(self, minutes: int) -> str:
        job_id = self.running()
        self.now_ms += minutes * MINUTE
        self.move(job_id, State.FINALIZING, ran_ms=minutes * MINUTE)
        self.move(job_id, State.DONE)
        return job_id


@pytest.fixture
def books(redis: RedisServer, namespace: str) -> Iterator[Books]:
    books = Books(redis.url, namespace)
    yield books
    books.redis.close()
    books.store.close()


def test_nothing_is_wrong(books: Books) -> None:
    ended, gone, runs = books.ended(10), books.ended(5), books.running()
    books.store.delete(gone, force=False, message="gone")
    books.now_ms += 7 * MINUTE
    books.seen(runs, 7 * MINUTE)
    done, found = books.audit()
    assert (found, done.jobs, done.lines, done.minutes, done.without_history) == ([], 2, 3, 16, 1)
    assert books.minutes(ended) == 10
    assert books.audit(project="nobody")[0] == Audited()


def test_a_line_that_is_missing(books: Books) -> None:
    job_id = books.ended(10)
    books.redis.hdel(books.ledger, f"{job_id}/1/0")
    missing, total = sorted(books.audit()[1], key=lambda one: not one.job_id)
    assert (missing.job_id, missing.attempt, missing.first, missing.last) == (job_id, 1, 0, 9)
    assert (missing.ledger, missing.owed) == ("none", "10 minutes of 1 cpu at 0.03")
    assert (total.job_id, total.ledger) == ("", "0.005000 in its counter")
    assert str(missing).startswith(f"default {MONTH}: job {job_id} attempt 1 minutes 0 to 9: the ledger has none")


def test_a_line_that_nobody_owes(books: Books) -> None:
    job_id = books.ended(10)
    text = books.redis.hget(books.ledger, f"{job_id}/1/0")
    books.redis.hset(books.ledger, f"{job_id}/1/10", text)
    books.redis.hset(books.ledger, f"{job_id}/2/0", text)
    found = [one for one in books.audit()[1] if one.job_id]
    assert [(one.attempt, one.first, one.owed) for one in found] == [(1, 10, "none"), (2, 0, "none")]


@pytest.mark.parametrize(
    ("place", "value", "ledger", "owed"),
    [
        (0, 11, "minutes 11", "minutes 10"),
        (2, "0.30", "price 0.30", "price 0.03"),
        (4, 2, "units 2", "units 1"),
        (5, "pending", "policy pending", "policy running"),
    ],
)
def test_a_line_that_is_wrong(books: Books, place: int, value: Any, ledger: str, owed: str) -> None:
    job_id = books.ended(10)
    line = json.loads(books.redis.hget(books.ledger, f"{job_id}/1/0"))
    line[place] = value
    books.redis.hset(books.ledger, f"{job_id}/1/0", json.dumps(line))
    (wrong,) = [one for one in books.audit()[1] if one.job_id]
    assert (wrong.ledger, wrong.owed) == (ledger, owed)
    assert books.audit(month="2027-02")[1] == []


def test_a_job_that_says_that_more_is_billed_than_it_owes(books: Books) -> None:
    job_id = books.running()
    books.redis.hset(books.keys("job", job_id), "billed_minutes", 3)
    books.redis.hset(books.ledger, f"{job_id}/1/0", json.dumps([3, books.now_ms, "0.03", "cpu", 1, "running", "h1"]))
    (wrong,) = [one for one in books.audit()[1] if one.job_id]
    assert (wrong.ledger, wrong.owed) == ("minutes 3", "minutes 1")


def test_what_begins_meanwhile_is_no_difference(books: Books) -> None:
    """Between the two looks at a running job a tick bills it."""
    job_id = books.running()
    lines_at = books.store.lines_at

    def billed_in_between(places: Any) -> Any:
        books.now_ms += MINUTE + 1
        books.seen(job_id, books.now_ms - (books.store.get(job_id).begun_ms or 0))
        if books.store.get(job_id).billed_minutes < 4:
            books.store.tick_billing(9)
        return lines_at(places)

    books.store.lines_at = billed_in_between  # type: ignore[method-assign]
    assert books.audit()[1] == []


def test_a_line_that_stands_twice(books: Books) -> None:
    """A copy of a right line, in the ledger of another month and of another project, with sums that fit."""
    job_id = books.ended(10)
    field = f"{job_id}/1/0"
    text = books.redis.hget(books.ledger, field)
    for project, month in (("default", "2027-02"), ("other", MONTH)):
        books.redis.hset(books.keys("ledger", project, month), field, text)
        books.redis.sadd(books.keys("ledger_months", project), month)
        books.redis.sadd(books.keys("ledger_projects"), project)
        books.redis.hset(books.keys("spent", month), project, 300_000)
    found = books.audit()[1]
    assert [(one.project, one.month, one.owed) for one in found] == [
        ("default", "2027-02", "none"), ("other", MONTH, "none"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("field", "text"),
    [
        ("{job}/1/0", "spoilt"),
        ("{job}/1/0", "[10]"),
        ("{job}/1/0", '[10, 1799539200000, "0.03", "cpu", 1, "for free", "h1"]'),
        ("{job}/1/0", '[10, 1799539200000, "cheap", "cpu", 1, "running", "h1"]'),
        ("{job}/1/0", '[-10, 1799539200000, "0.03", "cpu", 1, "running", "h1"]'),
        ("spoilt", "[]"),
    ],
)
def test_a_line_that_cannot_be_read(books: Books, field: str, text: str) -> None:
    """It is named, and the rest is looked at."""
    job_id, other = books.ended(10), books.ended(5)
    books.redis.hset(books.ledger, field.format(job=job_id), text)
    books.redis.hdel(books.ledger, f"{other}/1/0")
    told = [str(one) for one in books.audit()[1]]
    assert any(field.format(job=job_id) in one or job_id in one for one in told), told
    assert any(other in one for one in told)


def test_an_id_that_another_project_takes_again(books: Books) -> None:
    job_id = books.ended(10)
    books.store.delete(job_id, force=False, message="gone")
    books.redis.delete(books.keys("job", job_id))  # what is left of it lapses in a day
    books.now_ms += DAY
    spec = JobSpec.of(image="busybox:latest", resources={"cpu": 1}, project="other")
    books.store.submit(job_id, admit(spec, SITE))
    done, found = books.audit()
    assert (found, done.without_history) == ([], 1)


def test_lines_of_a_deleted_job_that_bill_a_minute_twice(books: Books) -> None:
    gone = books.ended(10)
    books.store.delete(gone, force=False, message="gone")
    text = books.redis.hget(books.ledger, f"{gone}/1/0")
    books.redis.hset(books.ledger, f"{gone}/1/5", text)
    books.redis.hincrby(books.keys("spent", MONTH), "default", 300_000)
    assert [one.job_id for one in books.audit()[1]] == [gone]


def test_a_sum_without_a_line(books: Books) -> None:
    books.ended(10)
    books.redis.hset(books.keys("spent", MONTH), "nobody", 60_000_000)
    (found,) = books.audit()[1]
    assert (found.project, found.month, found.ledger) == ("nobody", MONTH, "1.000000 in its counter")
