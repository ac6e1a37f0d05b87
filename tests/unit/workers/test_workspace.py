"""Workspaces are removed when nothing in them is needed any more, and not before."""

import os
from pathlib import Path

from workers.workspace import Workspace, settled_workspaces


def filled(data_dir: Path, fence: str = "1.a") -> Workspace:
    workspace = Workspace(data_dir, "job", fence)
    (workspace.volume(0) / "data").mkdir(parents=True)
    (workspace.volume(0) / "data" / "result").write_text("x")
    return workspace


def test_what_is_not_settled_stays(tmp_path: Path) -> None:
    workspace = filled(tmp_path)
    workspace.remove()
    assert (workspace.volume(0) / "data" / "result").exists()
    workspace.settle()
    workspace.unsettle()
    workspace.remove()
    assert (workspace.volume(0) / "data" / "result").exists()


def test_what_is_settled_goes_and_another_attempt_stays(tmp_path: Path) -> None:
    first, second = filled(tmp_path, "1.a"), filled(tmp_path, "2.b")
    first.settle()
    first.remove()
    first.remove()
    assert not first.volume(0).exists()
    assert (second.volume(0) / "data" / "result").exists()
    second.settle()
    second.remove()
    assert not (tmp_path / "jobs" / "job").exists()


def test_leftovers_are_found_but_for_those_that_are_wanted(tmp_path: Path) -> None:
    for fence in ("1.a", "2.b"):
        filled(tmp_path, fence).settle()
    filled(tmp_path, "3.c")
    for workspace in settled_workspaces(tmp_path, wanted={"2.b"}):
        workspace.remove()
    assert sorted(path.name for path in (tmp_path / "jobs" / "job").iterdir()) == ["2.b", "3.c"]


def test_a_tree_of_a_thousand_levels_goes_too(tmp_path: Path) -> None:
    workspace = filled(tmp_path)
    here = os.open(workspace.volume(0), os.O_RDONLY)
    for _ in range(1500):
        os.mkdir("d", dir_fd=here)
        inner = os.open("d", os.O_RDONLY, dir_fd=here)
        os.close(here)
        here = inner
    os.close(here)
    workspace.settle()
    workspace.remove()
    assert not workspace.volume(0).exists()
