"""Sync plans: nothing leaves the volume, nothing is copied twice, nothing is forgotten."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workers.datasync.plan import LocalFile, Record, RemoteObject, plan_pull, plan_push, refusal


def remote(key: str, size: int = 1, etag: str = "e") -> RemoteObject:
    return RemoteObject(key, size, etag)


@pytest.mark.parametrize(
    "path",
    ["../x", "a/../../x", "/etc/passwd", "a//b", "./a", "a/./b", "a\0b", "..", "x" * 256, "/".join(["d"] * 3000)],
)
def test_hostile_keys_are_refused_with_a_reason(path: str) -> None:
    plan = plan_pull([remote("in/" + path)], "in/", {}, {})
    assert plan.downloads == ()
    assert list(plan.refused) == ["in/" + path]


@pytest.mark.parametrize("path", ["a", "a/b", "ü/ñ", "back\\slash", "...", "a b", "x" * 255, "-rf"])
def test_odd_but_harmless_keys_are_taken(path: str) -> None:
    assert [download.path for download in plan_pull([remote(path)], "", {}, {}).downloads] == [path]


def test_markers_are_directories_and_the_prefix_itself_is_nothing() -> None:
    plan = plan_pull([remote("in/", 0), remote("in/a/", 0), remote("in/b/c")], "in/", {}, {})
    assert plan.directories == ("a",)
    assert [download.path for download in plan.downloads] == ["b/c"]
    assert not plan.refused


def test_a_key_that_is_file_and_folder_at_once_is_named() -> None:
    assert plan_pull([remote("a"), remote("a/b/c")], "", {}, {}).clash == ("a", "a/b/c")
    assert plan_pull([remote("a"), remote("a-b/c"), remote("ab")], "", {}, {}).clash is None


def test_a_file_as_it_was_laid_down_is_kept() -> None:
    manifest = {"a": Record(1, 5, "e")}
    assert plan_pull([remote("a")], "", manifest, {"a": LocalFile("a", 1, 5)}).kept == ("a",)
    for now in ({}, {"a": LocalFile("a", 1, 6)}, {"a": LocalFile("a", 2, 5)}):
        assert plan_pull([remote("a")], "", manifest, now).kept == ()
    assert plan_pull([remote("a", etag="new")], "", manifest, {"a": LocalFile("a", 1, 5)}).kept == ()


@given(st.text(max_size=40))
def test_whatever_is_accepted_stays_inside(path: str) -> None:
    if refusal(path) is None:
        depth = 0
        for part in path.split("/"):
            assert part not in ("", ".", "..")
            depth += 1
        assert depth >= 1
        assert not path.startswith("/")


def test_a_file_beside_a_marker_of_the_same_name() -> None:
    assert plan_pull([remote("a"), remote("a/", 0)], "", {}, {}).clash == ("a", "a/")


@pytest.mark.parametrize("path", ["not-utf8-\udcff", "x" * 200 + "/" + "y" * 900])
def test_files_that_no_key_can_name_are_told(path: str) -> None:
    plan = plan_push([LocalFile(path, 1, 1), LocalFile("good", 1, 1)], "out/", {})
    assert list(plan.unfit) == [path]
    assert [file.path for file in plan.uploads] == ["good"]


files = st.dictionaries(st.sampled_from("abcdef"), st.tuples(st.integers(0, 3), st.integers(0, 3)))


@given(files, files)
def test_a_push_uploads_exactly_what_differs(now: dict[str, tuple[int, int]], seen: dict[str, tuple[int, int]]) -> None:
    local = {path: LocalFile(path, *stat) for path, stat in now.items()}
    manifest = {path: Record(*stat, "e") for path, stat in seen.items()}
    plan = plan_push(local.values(), "", manifest)
    assert {file.path for file in plan.unchanged} == {path for path in now if seen.get(path) == now[path]}
    assert {file.path for file in plan.uploads} == {path for path in now if seen.get(path) != now[path]}
