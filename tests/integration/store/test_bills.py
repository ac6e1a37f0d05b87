"""Bills over the ledger that the store wrote: what they say, when they are final, and how months leave the store."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest

from aitrain.audit import Audit
from aitrain.bills import Bills
from aitrain.domain.bill import BillState
from aitrain.domain.billing import Policy
from aitrain.domain.errors import InvalidInput
from aitrain.domain.states import State
from aitrain.settings import BillingSettings, Settings
from aitrain.store import PrunedMonth
from tests.integration.store.one_host import DAY, MINUTE, OneHost
from workers.scratch.servers import RedisServer

JANUARY, FEBRUARY = "2027-01", "2027-02"
FEBRUARY_MS = 1_801_440_000_000


class Books(Bills):
    """A client's bills, over a store whose clock goes on when it is told to."""

    def __init__(self, site: OneHost) -> None:
        self.site, self._store = site, site.store
        self.settings = Settings(billing=BillingSettings(ledger_retention_days=30))

    def ran(self, minutes: int, **spec: object) -> str:
        """A job that ran for so many minutes."""
        job_id = self.site.running(**spec)
        self.ended(job_id, minutes)
        return job_id

    def ended(self, job_id: str, minutes: int) -> None:
        self.site.now_ms += minutes * MINUTE
        self.site.move(job_id, State.FINALIZING, ran_ms=minutes * MINUTE)
        self.site.move(job_id, State.DONE)

    def audit(self) -> tuple[int, int]:
        """The differences, and the pruned months, that an audit finds."""
        done = Audit(self._store, None, None, lambda _: None).run()
        return done.differences, done.pruned

    def keys(self, month: str) -> int:
        """How many of a month's keys of the ledger are there."""
        key = self._store._key
        return int(self._store._redis.exists(*(key(name, "default", month) for name in ("ledger", "ledger_jobs"))))


@pytest.fixture
def books(redis: RedisServer, namespace: str) -> Iterator[Books]:
    site = OneHost(redis.url, namespace)
    yield Books(site)
    site.store.close()


def test_a_bill_by_whatever_is_asked_for(books: Books) -> None:
    first = books.ran(60, gpu=2, user="ann", labels={"team": "a"}, name="one")
    second = books.ran(30, cpu=1, user="bob", labels={"team": "b"}, name="two")
    third = books.ran(1, cpu=1, user="ann", name="three")
    books.site.store.delete(first, force=False, message="gone")

    def owed(*by: str) -> dict[tuple[str | None, ...], int]:
        bill = books.bill("default", JANUARY, by=by)
        assert bill.total == Decimal("3.88"), "2 x 1.93 + 0.0155"
        assert not bill.counter_differs
        return {group.values: group.unit_minutes for group in bill.groups}

    assert owed() == {(): 151}
    assert owed("flavor") == {("cpu",): 31, ("v100s",): 120}
    assert owed("user") == {("ann",): 121, ("bob",): 30}, "also of a job that is deleted"
    assert owed("job") == {(first,): 120, (second,): 30, (third,): 1}
    assert owed("label:team", "flavor") == {(None, "cpu"): 1, ("a", "v100s"): 120, ("b", "cpu"): 30}
    assert owed("name", "host")[("one", "h1")] == 120
    assert [line.minutes for line, _ in books.bill_lines("default", JANUARY, job_id=first)] == [60]
    assert {job.user for _, job in books.bill_lines("default", JANUARY)} == {"ann", "bob"}


def test_the_running_total_of_every_project(books: Books) -> None:
    books.ran(60, gpu=1)
    job_id = books.site.running(gpu=1, project="red")
    books.site.now_ms += 90_000
    books.site.seen(job_id, 90_000)
    books.site.store.tick_billing(9)
    used = books.usage()
    assert used.month == JANUARY
    assert used.projects == {"default": 60 * Decimal("1.93"), "red": 2 * Decimal("1.93")}
    assert (used.amount("default"), used.amount("red"), used.amount("blue")) == (
        Decimal("1.93"), Decimal("0.06"), Decimal("0.00"),
    )  # fmt: skip
    assert used.total == Decimal("1.99")
    assert books.bill("red").state is BillState.RUNNING
    assert books.bill("red").total == used.amount("red")
    assert books.usage("2027-03").projects == {}


@pytest.mark.parametrize("state", ["initializing", "pending", "running"])
def test_a_month_is_not_final_while_minutes_of_it_may_be_billed(books: Books, state: str) -> None:
    """A job that is prepared or runs when the month ends, on a host that tells so only later."""
    books.site.store.set_billing(Policy.INITIALIZING, {})
    books.ran(5)
    books.site.now_ms = FEBRUARY_MS - 10 * MINUTE
    job_id = books.site.placed()
    books.site.now_ms += MINUTE
    for at in {"initializing": [], "pending": [State.PENDING], "running": [State.PENDING, State.RUNNING]}[state]:
        books.site.move(job_id, at)
    assert books.bill("default", JANUARY).state is BillState.RUNNING, "the month is not over"
    books.site.now_ms = FEBRUARY_MS + DAY
    books.ran(1, project="red")
    assert books.bill("default", JANUARY).state is BillState.RUNNING
    assert books.bill("red", JANUARY).state is BillState.FINAL, "another project's jobs are none of its business"
    with pytest.raises(InvalidInput, match="may yet be billed"):
        books.export_ledger("default", JANUARY, "/dev/null")
    for at in {"initializing": [State.PENDING, State.RUNNING], "pending": [State.RUNNING], "running": []}[state]:
        books.site.move(job_id, at)
    books.site.seen(job_id, DAY)
    books.site.store.tick_billing(9)
    bill = books.bill("default", JANUARY)
    assert (bill.state, bill.groups[0].minutes) == (BillState.FINAL, 15), "and the job still runs"
    books.ended(job_id, DAY // MINUTE + 1)
    assert books.bill("default", JANUARY).price_minutes == bill.price_minutes


def test_a_month_is_exported_and_leaves_the_store(books: Books, tmp_path: Path) -> None:
    for _ in range(3):
        books.ran(7, cpu=2, user="ann")
    books.site.now_ms = FEBRUARY_MS - 5 * MINUTE
    long = books.site.running(cpu=1)
    books.site.now_ms = FEBRUARY_MS + 2 * DAY
    books.site.seen(long, 2 * DAY)
    books.site.store.tick_billing(9)
    before = books.bill("default", JANUARY)
    sums = books.export_ledger("default", JANUARY, tmp_path / "jan")
    assert (sums.lines, sums.jobs, sums.minutes, sums.price_minutes) == (4, 4, 26, before.price_minutes)

    with pytest.raises(InvalidInput, match="is over for 2 days, and kept for 30"):
        books.prune_ledger("default", JANUARY, tmp_path / "jan")
    books.site.now_ms = FEBRUARY_MS + 31 * DAY
    assert books.audit() == (0, 0)
    (tmp_path / "less").write_bytes(b"".join((tmp_path / "jan").read_bytes().splitlines(keepends=True)[:-2]))
    with pytest.raises(InvalidInput, match="not whole"):
        books.prune_ledger("default", JANUARY, tmp_path / "less")
    assert books.keys(JANUARY) == 2
    assert books.bill("default", JANUARY).price_minutes == before.price_minutes

    pruned = books.prune_ledger("default", JANUARY, tmp_path / "jan", by="eve")
    assert (pruned.lines, pruned.price_minutes, pruned.sha256, pruned.by) == (
        4,
        before.price_minutes,
        sums.sha256,
        "eve",
    )
    assert books.keys(JANUARY) == 0
    bill = books.bill("default", JANUARY)
    assert (bill.state, bill.total, bill.groups, bill.counter_differs) == (BillState.PRUNED, before.total, (), False)
    assert books.pruned_months("default") == {JANUARY: pruned}
    assert books.prune_ledger("default", JANUARY, tmp_path / "jan") == pruned, "once more, it is the same"
    with pytest.raises(InvalidInput, match="was pruned"):
        books.export_ledger("default", JANUARY, tmp_path / "again")

    books.site.seen(long, 31 * DAY)
    books.site.store.edit(long, labels={"late": "1"})
    books.ended(long, 1)
    assert books.keys(JANUARY) == 0, "a job that began in it goes on, and brings nothing into it"
    assert books.usage(JANUARY).projects["default"] == before.price_minutes
    assert books.bill("default", FEBRUARY).state is BillState.FINAL
    assert books.audit() == (0, 1)
    books._store._redis.hincrby(books._store._key("spent", JANUARY), "default", 1)
    assert books.audit() == (1, 1), "the sum of a pruned month is still looked at"
    assert books.bill("default", JANUARY).counter_differs


def test_an_export_that_is_not_what_the_store_has_removes_nothing(books: Books, tmp_path: Path) -> None:
    job_id = books.ran(7)
    books.ran(8)
    books.site.now_ms = FEBRUARY_MS + 31 * DAY
    books.export_ledger("default", JANUARY, tmp_path / "jan")
    key, field = books._store._key("ledger", "default", JANUARY), f"{job_id}/1/0"
    text = books._store._redis.hget(key, field)
    for what, change in {
        "otherwise": lambda: books._store._redis.hset(key, field, str(text).replace("[7,", "[6,")),
        "has not": lambda: books._store._redis.hdel(key, field),
        "2 lines of 2 jobs, the store 3": lambda: books._store._redis.hset(
            key, mapping={field: str(text), f"{job_id}/1/7": str(text)}
        ),
    }.items():
        change()
        with pytest.raises(InvalidInput, match=what):
            books.prune_ledger("default", JANUARY, tmp_path / "jan")
        assert books.keys(JANUARY) == 2
        assert books.bill("default", JANUARY).counter_differs, "and a bill says that something is wrong"
    books._store._redis.hdel(key, f"{job_id}/1/7")
    assert books.prune_ledger("default", JANUARY, tmp_path / "jan").lines == 2


def test_a_month_that_changed_since_it_was_looked_at_stays(books: Books) -> None:
    books.ran(7)
    view = books._store.month_view("default", JANUARY)
    left = PrunedMonth(view.now_ms, 1, 1, 7, view.price_minutes, "")
    for seen in (replace(view, lines=2), replace(view, jobs=2), replace(view, spent=view.spent + 1)):
        assert not books._store.prune_month("default", JANUARY, seen, left)
    assert books.keys(JANUARY) == 2
    assert books._store.prune_month("default", JANUARY, view, left)
    assert books.keys(JANUARY) == 0


def test_a_month_without_lines_has_a_bill_and_no_export(books: Books) -> None:
    bill = books.bill("nobody", "2026-01")
    assert (bill.state, bill.total, bill.groups) == (BillState.FINAL, Decimal("0.00"), ())
    with pytest.raises(InvalidInput, match="has no ledger lines"):
        books.export_ledger("nobody", "2026-01", "/dev/null")
