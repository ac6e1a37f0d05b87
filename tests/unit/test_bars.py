"""Bars of copies are drawn on a terminal, and nowhere else."""

from __future__ import annotations

from io import StringIO
from typing import Any

import pytest
from rich.console import Console

from aitrain.buckets import ObjectDone
from aitrain.cli import transfers
from aitrain.cli.bars import Bars, copies
from aitrain.domain.job import Direction, Job, VolumeProgress
from aitrain.domain.states import State
from tests.unit.domain.test_retry import job

HALF = VolumeProgress(direction=Direction.PUSH, total=4, processed=2, completed=2, bytes=500, bytes_total=1000)


def pushing(state: State = State.FINALIZING, **fields: Any) -> Job:
    return job(state=state, progress={"/out": HALF, "/in": VolumeProgress(total=9)}, **fields)


def drawn(*shown: Job, terminal: bool) -> str:
    text = StringIO()
    console = Console(file=text, force_terminal=terminal, width=120, legacy_windows=False)
    with Bars(console) as bars:
        for one in shown:
            bars.show(one)
            bars._progress.refresh()
    return text.getvalue()


def test_a_bar_says_files_and_bytes() -> None:
    text = drawn(pushing(), terminal=True)
    assert "push /out" in text
    assert "2/4 files" in text
    assert "500 bytes of 1.0 kB" in text
    assert "/in" not in text, "what was pulled before is over"


def test_failed_files_are_told() -> None:
    failing = HALF.model_copy(update={"failed": 1})
    assert "2/4 files, 1 failed" in drawn(job(progress={"/out": failing}), terminal=True)


def test_nothing_is_drawn_elsewhere() -> None:
    assert drawn(pushing(), job(state=State.DONE), terminal=False) == ""


@pytest.mark.parametrize(
    ("state", "fields", "paths"),
    [
        (State.FINALIZING, {}, ["/out"]),
        (State.INITIALIZING, {}, ["/in"]),
        (State.RUNNING, {}, []),
        (State.RUNNING, {"copying": "push"}, ["/out"]),
        (State.RUNNING, {"copying": "pull"}, ["/in"]),
        (State.DONE, {}, []),
    ],
)
def test_which_copies_are_under_way(state: State, fields: dict[str, Any], paths: list[str]) -> None:
    assert list(copies(pushing(state, **fields))) == paths


@pytest.mark.parametrize(("verb", "moved"), [("upload", "0.4/1.0 kB"), ("delete", "1/2 objects")])
def test_a_bar_of_a_transfer_says_objects_and_bytes(verb: str, moved: str, monkeypatch: pytest.MonkeyPatch) -> None:
    text = StringIO()
    monkeypatch.setattr(transfers, "err", Console(file=text, force_terminal=True, width=120, legacy_windows=False))
    with transfers.TransferBar(verb, dry_run=False) as bar:
        bar.begins([ObjectDone("a", 400), ObjectDone("b", 600)])
        bar.moves(400 if verb == "upload" else 0)
        bar.ends(ObjectDone("a", 400))
        bar._progress.refresh()
    assert moved in text.getvalue()
    assert "1/2 objects" in text.getvalue()
    assert ("kB" in text.getvalue()) is (verb == "upload")
