"""Workspaces are removed when nothing in them is needed any more, and not before."""

import os
import time
from pathlib import Path
from typing import Any

import pytest

from aitrain.domain.states import EndCause, State
from tests.unit.domain.test_retry import job
from workers.workspace import Ended, Workspace, remove_old_receipts, settled_workspaces, superseded, unsettled_attempts


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


def test_what_is_settled_and_what_is_not(tmp_path: Path) -> None:
    for fence in ("1.a", "2.b"):
        filled(tmp_path, fence).settle()
    filled(tmp_path, "3.c")
    assert sorted(found.fence for found in settled_workspaces(tmp_path)) == ["1.a", "2.b"]
    assert [(found.job_id, found.fence) for found in unsettled_attempts(tmp_path)] == [("job", "3.c")]


def test_marks(tmp_path: Path) -> None:
    workspace = filled(tmp_path)
    assert (workspace.ordered, workspace.fenced_ms, workspace.pushed) == (None, None, False)
    workspace.mark_ordered(EndCause.STOPPED)
    workspace.mark_ordered(EndCause.TIMED_OUT)
    assert workspace.ordered is EndCause.STOPPED, "the first order stands"
    workspace.mark_fenced()
    assert abs((workspace.fenced_ms or 0) - time.time() * 1000) < 5000
    ended = Ended(EndCause.STOPPED, "stopped", 143, 5, 9, 4)
    workspace.mark_pushed(ended)
    assert workspace.ended == ended
    workspace.settle()
    workspace.remove()
    assert workspace.pushed, "known for a while after it is gone"
    remove_old_receipts(tmp_path)
    assert workspace.pushed
    os.utime(next((tmp_path / "pushed").iterdir()), (0, 0))
    remove_old_receipts(tmp_path)
    assert not workspace.pushed


@pytest.mark.parametrize(
    ("fields", "fence", "needed_no_more"),
    [
        ({}, "1.a", False),
        ({"state": State.ERROR}, "1.a", True),
        ({"state": State.ERROR, "started_ms": 1}, "1.a", False),
        ({"state": State.ERROR, "starting": True}, "1.a", False),
        ({"attempt": 2, "fence": "2.b", "earlier_attempts": [{"attempt": 1}]}, "1.a", True),
        ({"attempt": 2, "fence": "2.b", "earlier_attempts": [{"attempt": 1, "started_ms": 1}]}, "1.a", False),
        ({"attempt": 2, "fence": "2.b", "earlier_attempts": [{"attempt": 1, "starting": True}]}, "1.a", False),
        ({"attempt": 2, "fence": "2.b", "state": State.DONE, "started_ms": 1}, "1.a", True),
        ({"attempt": 2, "fence": "2.b", "state": State.FAILED, "started_ms": 1}, "1.a", True),
        ({"attempt": 2, "fence": "2.b", "state": State.INTERRUPTED, "started_ms": 1}, "1.a", True),
        ({"attempt": 2, "fence": "2.b", "state": State.INTERRUPTED}, "1.a", False),
        ({"attempt": 2, "fence": "2.b", "state": State.ERROR, "started_ms": 1}, "1.a", False),
        ({"attempt": 2, "fence": "2.b", "state": State.RUNNING, "started_ms": 1}, "1.a", False),
    ],
)
def test_what_a_later_attempt_makes_good(fields: dict[str, Any], fence: str, needed_no_more: bool) -> None:
    assert superseded(job(**fields), fence) == needed_no_more


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
