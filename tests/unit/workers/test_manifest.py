"""The manifest survives a crash at any byte."""

from pathlib import Path

from workers.datasync.manifest import Manifest
from workers.datasync.plan import Record


def test_what_was_recorded_is_read_again(tmp_path: Path) -> None:
    path = tmp_path / "manifest.jsonl"
    with Manifest(path) as manifest:
        manifest.record("a", Record(1, 2, "x"))
        manifest.record("b\n", Record(3, 4, "y"))
        manifest.record("a", Record(5, 6, "z"))
    assert Manifest(path).records == {"a": Record(5, 6, "z"), "b\n": Record(3, 4, "y")}


def test_a_cut_at_any_byte_loses_no_more_than_the_last_line(tmp_path: Path) -> None:
    path = tmp_path / "manifest.jsonl"
    with Manifest(path) as manifest:
        manifest.record("a", Record(1, 2, "x"))
        manifest.record("b", Record(3, 4, "y"))
    whole = path.read_bytes()
    for cut in range(len(whole)):
        path.write_bytes(whole[:cut])
        with Manifest(path) as manifest:
            assert len(manifest.records) >= whole[:cut].count(b"}\n")
            manifest.record("c", Record(7, 8, "z"))
        after = Manifest(path).records
        assert after["c"] == Record(7, 8, "z")
