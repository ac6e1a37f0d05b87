"""The manifest survives whatever becomes of its file."""

import sqlite3
from pathlib import Path

import pytest

from workers.datasync import manifest as module
from workers.datasync.entries import Record
from workers.datasync.manifest import Manifest


def test_what_was_recorded_is_read_again_in_order(tmp_path: Path) -> None:
    path = tmp_path / "manifest.db"
    with Manifest(path) as manifest:
        manifest.record(Record("b\n", 3, 4, 4, "y"))
        manifest.record(Record("a", 1, 2, 2, "x"))
        manifest.record(Record("a-", 1, 2, 2, "x"))
        manifest.record(Record("a", 5, 6, 6, "z"))
        manifest.record(Record("not-utf8-\udcff", 5, 6, 6, "z"))
        manifest.record(Record("gone", 5, 6, 6, "z"))
        manifest.forget("gone")
    with Manifest(path) as manifest:
        assert [record.path for record in manifest.records()] == ["a", "a-", "b\n", "not-utf8-\udcff"]
        assert next(manifest.records()) == Record("a", 5, 6, 6, "z")


def test_one_that_is_spoilt_is_begun_anew(tmp_path: Path) -> None:
    path = tmp_path / "manifest.db"
    with Manifest(path) as manifest:
        manifest.begin()
        manifest.record(Record("a", 1, 2, 2, "x"))
        manifest.completed()
    path.write_bytes(b"no database at all" * 100)
    with Manifest(path) as manifest:
        assert list(manifest.records()) == []
        assert not manifest.complete, "what it does not know must not be taken for removed by the job"


def test_after_the_machine_started_again_nothing_counts_as_removed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    boot = tmp_path / "boot"
    boot.write_text("one")
    monkeypatch.setattr(module, "BOOT_ID", boot)
    with Manifest(tmp_path / "manifest.db") as manifest:
        manifest.begin()
        manifest.record(Record("a", 1, 2, 2, "x"))
        manifest.completed()
        assert manifest.complete
    boot.write_text("two")
    with Manifest(tmp_path / "manifest.db") as manifest:
        assert not manifest.complete
        assert len(list(manifest.records())) == 1, "what was pushed needs not be pushed again"
        manifest.begin()
        assert list(manifest.records()) == [], "files that were laid down then may be empty"


def test_a_full_disk_costs_the_memory_and_not_the_copy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with Manifest(tmp_path / "manifest.db") as manifest:
        manifest._db.execute("PRAGMA max_page_count=1")
        for number in range(2000):
            manifest.record(Record(f"{number}" * 100, 1, 2, 2, "x"))
        manifest.flush()


def test_a_large_copy_is_remembered_until_it_is_over(tmp_path: Path) -> None:
    path = tmp_path / "manifest.db"
    with Manifest(path) as manifest:
        manifest.set_unfinished("a", {"upload_id": "1"})
    with Manifest(path) as manifest:
        assert manifest.unfinished("a") == {"upload_id": "1"}
        manifest.set_unfinished("a", {})
        assert manifest.unfinished("a") == {}
    assert sqlite3.connect(path).execute("SELECT count(*) FROM unfinished").fetchone() == (0,)
