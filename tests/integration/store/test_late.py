"""What comes late into a month that is over: edits, ends of long runs, a second prune."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from aitrain.domain.bill import BillState
from aitrain.domain.billing import Policy
from aitrain.domain.errors import InvalidInput
from aitrain.domain.states import InfoCode, State
from aitrain.signing import write_new_key
from aitrain.store import MonthView, PrunedMonth
from tests.integration.store.one_host import DAY, MINUTE
from tests.integration.store.test_bills import FEBRUARY_MS, JANUARY, Books, books
from workers.receipts import sign_ended

__all__ = ["books"]


def test_new_labels_change_no_bill_that_is_final(books: Books, tmp_path: Path) -> None:
    """A job that runs on, and was billed to the very end of the month, but not yet past it."""
    books.site.now_ms = FEBRUARY_MS - 5 * MINUTE
    long = books.site.running(cpu=1, labels={"team": "a"})
    books.site.store.edit(long, labels={"team": "b"})
    books.site.now_ms = FEBRUARY_MS
    books.site.seen(long, 5 * MINUTE)
    books.site.store.tick_billing(9)
    bill = books.bill("default", JANUARY, by=["label:team"])
    assert (bill.state, bill.groups[0].values) == (BillState.FINAL, ("b",)), "an edit within the month counts"
    books.export_ledger("default", JANUARY, tmp_path / "jan")
    books.site.now_ms = FEBRUARY_MS + 31 * DAY
    books.site.store.edit(long, labels={"team": "c"})
    assert books.bill("default", JANUARY, by=["label:team"]).groups == bill.groups
    books.prune_ledger("default", JANUARY, tmp_path / "jan")
    books.site.store.edit(long, labels={"team": "d"})
    assert books.keys(JANUARY) == 0, "and nothing comes back into a month that was pruned"


def test_a_run_that_began_in_a_pruned_month_gets_its_receipt(books: Books, tmp_path: Path) -> None:
    signer = write_new_key(tmp_path / "key")
    books.site.store.signing()
    books.site.now_ms = FEBRUARY_MS - 5 * MINUTE
    long = books.site.running(gpu=2)
    books.site.now_ms = FEBRUARY_MS + 31 * DAY
    books.site.seen(long, 31 * DAY + 5 * MINUTE)
    books.site.store.tick_billing(9)
    (january,) = books._store.ledger_lines("default", JANUARY)
    books.export_ledger("default", JANUARY, tmp_path / "jan")
    books.prune_ledger("default", JANUARY, tmp_path / "jan")
    books.ended(long, 31 * DAY // MINUTE + 10)
    assert sign_ended(books._store, signer, books.settings) == 1
    bill = books._store.receipts(long)[1]["receipt"]["bill"]
    assert [line["minutes"] for line in bill["lines"]][:2] == [5, 28 * DAY // MINUTE]
    assert bill["lines"][0]["begins_ms"] == january.begins_ms
    assert bill["minutes"] == books._store.get(long).billed_minutes


def test_a_month_that_was_pruned_takes_no_other_file_for_its_export(books: Books, tmp_path: Path) -> None:
    books.ran(7)
    books.ran(8)
    books.site.now_ms = FEBRUARY_MS + 31 * DAY
    books.export_ledger("default", JANUARY, tmp_path / "jan")
    pruned = books.prune_ledger("default", JANUARY, tmp_path / "jan", by="eve")
    with pytest.raises(InvalidInput, match="cannot be read"):
        books.prune_ledger("default", JANUARY, tmp_path / "none")
    books.site.now_ms += DAY
    assert books.prune_ledger("default", JANUARY, tmp_path / "jan", by="ann") == pruned
    with pytest.raises(InvalidInput, match=f"was pruned.+{pruned.sha256}"):
        books.bill_lines("default", JANUARY)


def test_of_two_who_prune_at_once_the_first_ones_word_stands(
    books: Books, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    books.ran(7)
    books.site.now_ms = FEBRUARY_MS + 31 * DAY
    books.export_ledger("default", JANUARY, tmp_path / "jan")
    prune = books._store.prune_month

    def after_another(project: str, month: str, view: MonthView, pruned: PrunedMonth) -> bool:
        return prune(project, month, view, replace(pruned, by="eve")) and prune(project, month, view, pruned)

    monkeypatch.setattr(books._store, "prune_month", after_another)
    assert books.prune_ledger("default", JANUARY, tmp_path / "jan", by="ann").by == "eve"


def test_a_key_that_comes_after_the_run_signs_the_lines_of_two_months(books: Books, tmp_path: Path) -> None:
    """The results are pushed again once there is a key, and the job was billed from before its container began."""
    books.site.store.set_billing(Policy.INITIALIZING, {})
    books.site.now_ms = FEBRUARY_MS - 3 * MINUTE
    job_id = books.site.placed()
    books.site.now_ms += 5 * MINUTE
    for state in (State.PENDING, State.RUNNING):
        books.site.move(job_id, state)
    books.site.now_ms += 4 * MINUTE
    books.site.move(job_id, State.FINALIZING, ran_ms=4 * MINUTE)
    books.site.move(job_id, State.ERROR, code=InfoCode.JOB_SYNC_FAILED, keep_ms=0)
    books.site.store.signing()
    assert books.site.store.retry_push(job_id, "again").done
    books.site.move(job_id, State.DONE)
    assert sign_ended(books._store, write_new_key(tmp_path / "key"), books.settings) == 1
    bill = books._store.receipts(job_id)[1]["receipt"]["bill"]
    assert [line["minutes"] for line in bill["lines"]] == [3, 6]
