"""The audit finds what is wrong with a ledger, names it, and finds nothing where nothing is."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from redis import Redis

from aitrain.audit import Audit
from aitrain.domain.audit import Audited, Difference
from aitrain.domain.states import State
from aitrain.store.keys import Keys
from tests.integration.store.one_host import MINUTE, OneHost
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
