"""Sync plans: nothing leaves the volume, nothing is copied twice, nothing is forgotten."""

from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workers.datasync.actions import Action, Do, Tally
from workers.datasync.entries import RECORDED_WHILE_RUNNING, Kind, LocalFile, Record, RemoteObject, in_bytes
from workers.datasync.plan import plan_pull, plan_push, refusal


def remote(path: str, size: int = 1, etag: str = "e") -> RemoteObject:
    return RemoteObject(path, size, etag)


def local(path: str, size: int = 1, at: int = 5, kind: Kind = Kind.FILE) -> LocalFile:
    return LocalFile(path, size, at, at, kind)


def record(path: str, size: int = 1, at: int = 5, etag: str = "e") -> Record:
    return Record(path, size, at, at, etag)


def ordered(items: Iterable) -> list:
    return sorted(items, key=lambda item: in_bytes(item.path))


def pull(objects: Iterable, seen: Iterable = (), files: Iterable = (), **how: bool) -> list[Action]:
    return list(plan_pull(ordered(objects), ordered(seen), ordered(files), **how))


def push(seen: Iterable, files: Iterable, **how) -> list[Action]:
    return list(plan_push(ordered(seen), ordered(files), **how))


def paths(plan: Iterable[Action], do: Do) -> list[str]:
    return [action.path for action in plan if action.do is do]


@pytest.mark.parametrize(
    "path",
    [
        "../x",
        "a/../../x",
        "/etc/passwd",
        "a//b",
        "./a",
        "a/./b",
        "a\0b",
        "..",
        "x" * 256,
        "/".join(["d"] * 3000),
        "a//",
    ],
)
def test_hostile_keys_are_refused_with_a_reason(path: str) -> None:
    plan = pull([remote(path, 0)])
    assert paths(plan, Do.SKIP) == [path]
    assert plan[0].why
    assert len(plan) == 1


@pytest.mark.parametrize("path", ["a", "a/b", "ü/ñ", "back\\slash", "...", "a b", "x" * 255, "-rf", "a\nb"])
def test_odd_but_harmless_keys_are_taken(path: str) -> None:
    assert paths(pull([remote(path)]), Do.DOWNLOAD) == [path]


def test_markers_are_directories() -> None:
    plan = pull([remote("a/", 0), remote("b/c"), remote("full/", 3)])
    assert paths(plan, Do.MAKE_DIRECTORY) == ["a/"]
    assert paths(plan, Do.DOWNLOAD) == ["b/c"]
    assert paths(plan, Do.SKIP) == ["full/"], "a directory cannot hold content"


def test_a_key_that_is_file_and_folder_at_once_is_named() -> None:
    assert Tally.of(pull([remote("a"), remote("a-b"), remote("a/b/c")])).clashes == {"a": "a/b/c"}
    assert Tally.of(pull([remote("a"), remote("a/", 0)])).clashes == {"a": "a/"}
    assert Tally.of(pull([remote("a"), remote("a-b/c"), remote("ab")])).clashes == {}


def test_a_file_as_it_was_laid_down_is_kept() -> None:
    assert paths(pull([remote("a")], [record("a")], [local("a")]), Do.KEEP) == ["a"]
    for now in ([], [local("a", at=6)], [local("a", size=2)], [local("a", kind=Kind.OTHER)]):
        assert paths(pull([remote("a")], [record("a")], now), Do.DOWNLOAD) == ["a"]
    assert paths(pull([remote("a", etag="new")], [record("a")], [local("a")]), Do.DOWNLOAD) == ["a"]


def test_a_time_that_was_set_back_does_not_hide_a_change() -> None:
    changed = LocalFile("a", 1, 5, 99)
    assert paths(push([record("a")], [changed]), Do.UPLOAD) == ["a"]


def test_what_is_not_in_the_store_any_more_is_removed_before_the_job_runs_and_kept_while_it_does() -> None:
    assert paths(pull([], [record("a")], [local("a"), local("d/", kind=Kind.DIRECTORY)]), Do.DROP) == ["a"]
    assert pull([], [record("a")], [local("a")], running=True) == []


def test_a_running_job_keeps_what_it_did() -> None:
    left = [([record("a")], []), ([record("a")], [local("a", at=9)]), ([], [local("a")])]
    for seen, files in left:
        assert paths(pull([remote("a")], seen, files, running=True), Do.LEAVE) == ["a"]
    newer = pull([remote("a", etag="new")], [record("a")], [local("a")], running=True)
    assert paths(newer, Do.DOWNLOAD) == ["a"]


def test_only_what_the_job_removed_is_deleted() -> None:
    seen = [record("kept"), record("gone"), record("d/", 0, 0)]
    assert paths(push(seen, [local("kept"), local("new")], deletes=True), Do.DELETE) == ["d/", "gone"]
    assert paths(push(seen, [local("kept")]), Do.DELETE) == []


def test_what_lies_beneath_a_link_is_not_taken_for_removed() -> None:
    seen = [record("d/a"), record("d-x"), record("deep/x/y")]
    now = [local("d", kind=Kind.OTHER), local("deep/x", kind=Kind.TOO_DEEP), local("d-x")]
    plan = push(seen, now, deletes=True)
    assert paths(plan, Do.DELETE) == []
    assert paths(plan, Do.SKIP) == ["d"]
    assert paths(plan, Do.UNFIT) == ["deep/x"]


@given(st.text(max_size=40))
def test_whatever_is_accepted_stays_inside(path: str) -> None:
    if refusal(path) is None:
        for part in path.removesuffix("/").split("/"):
            assert part not in ("", ".", "..")
        assert not path.startswith("/")


@pytest.mark.parametrize("path", ["not-utf8-\udcff", "x" * 200 + "/" + "y" * 900])
def test_files_that_no_key_can_name_are_told(path: str) -> None:
    plan = push([], [local(path), local("good")], prefix="out/")
    assert paths(plan, Do.UNFIT) == [path]
    assert paths(plan, Do.UPLOAD) == ["good"]


names = st.lists(st.sampled_from(["a", "b", "-", "ü"]), min_size=1, max_size=3).map("/".join)
stats = st.tuples(st.integers(0, 2), st.integers(0, 2))
volumes = st.dictionaries(names, stats, max_size=8)


def test_a_push_never_makes_a_store_that_cannot_be_read() -> None:
    beneath = push([record("best")], [local("best/", kind=Kind.DIRECTORY), local("best/w")])
    assert paths(beneath, Do.UNFIT) == ["best/w"]
    above = Tally.of(push([record("d-x"), record("d/x")], [local("d"), local("d-x")]))
    assert above.clashes == {"d": "d/x"}
    assert above.unfit == 1
    assert paths(push([record("d/x")], [local("d")], deletes=True), Do.DELETE) == ["d/x"], "then the object goes"


def test_what_was_pushed_while_the_job_ran_is_looked_at_again() -> None:
    known = Record("a", 1, 5, RECORDED_WHILE_RUNNING, "e")
    (action,) = push([known], [local("a")])
    assert (action.do, action.record) == (Do.UPLOAD, known)


def test_a_file_that_the_hosts_crash_cut_does_not_replace_a_good_object() -> None:
    cut, changed = local("a", size=0, at=5), local("b", size=0, at=9)
    seen = [record("a", size=10), record("b", size=10)]
    assert paths(push(seen, [cut, changed], same_boot=False), Do.UPLOAD) == ["b"]
    assert paths(push(seen, [cut, changed]), Do.UPLOAD) == ["a", "b"]


def test_a_file_that_claims_to_be_larger_than_any_object_is_told() -> None:
    assert paths(push([], [local("sparse", size=6 * 1024**4)]), Do.UNFIT) == ["sparse"]


@given(volumes, volumes, st.booleans())
def test_a_push_does_exactly_what_differs(now: dict, seen: dict, deletes: bool) -> None:
    every = sorted({*now, *(path for path in seen if path not in now)})
    if any(other.startswith(one + "/") for one in every for other in every):
        return  # files and directories of one name have a test of their own
    plan = push(
        [record(path, size, at) for path, (size, at) in seen.items()],
        [local(path, size, at) for path, (size, at) in now.items()],
        deletes=deletes,
    )
    assert set(paths(plan, Do.KEEP)) == {path for path in now if seen.get(path) == now[path]}
    assert set(paths(plan, Do.UPLOAD)) == {path for path in now if seen.get(path) != now[path]}
    assert set(paths(plan, Do.DELETE)) == (set(seen) - set(now) if deletes else set())
    assert len(plan) == len({action.path for action in plan})


@given(volumes, volumes, volumes, st.booleans())
def test_a_pull_that_is_carried_out_leaves_nothing_to_do(store: dict, seen: dict, now: dict, running: bool) -> None:
    objects = {path: remote(path, size, f"e{size}{at}") for path, (size, at) in store.items()}
    records = {path: record(path, size, at, f"e{size}{at}") for path, (size, at) in seen.items()}
    files = {path: local(path, size, at) for path, (size, at) in now.items()}
    plan = pull(objects.values(), records.values(), files.values(), running=running)
    if Tally.of(plan).clashes:
        clashing = [one for one in store if any(other.startswith(one + "/") for other in store)]
        assert clashing
        return
    for action in plan:
        if action.do is Do.DOWNLOAD:
            files[action.path] = local(action.path, store[action.path][0], 77)
            records[action.path] = record(action.path, store[action.path][0], 77, objects[action.path].etag)
        elif action.do is Do.DROP:
            del files[action.path]
            records.pop(action.path, None)
    again = pull(objects.values(), records.values(), files.values(), running=running)
    assert {action.do for action in again} <= {Do.KEEP, Do.LEAVE}
    if not running:
        assert set(files) == set(store)
    else:
        assert {path for path in now if path not in files} == set(), "nothing is removed under a running job"


@given(volumes, volumes, volumes)
def test_a_running_jobs_own_files_are_never_overwritten(store: dict, seen: dict, now: dict) -> None:
    plan = pull(
        [remote(path, size, f"e{size}{at}") for path, (size, at) in store.items()],
        [record(path, size, at, "old") for path, (size, at) in seen.items()],
        [local(path, size, at) for path, (size, at) in now.items()],
        running=True,
    )
    own = {path for path in now if seen.get(path) != now[path]}
    assert not own & set(paths(plan, Do.DOWNLOAD))
