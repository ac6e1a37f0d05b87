"""What is done to many objects: which files they are, which would lie where another does, and leaving in the middle."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from aitrain.buckets.transfers import UNWATCHED, Moves, ObjectDone, doubled, each, found_files


def keys(*given: Path | str) -> list[str]:
    return [key for _, key in found_files(given)]


def test_which_files_and_under_which_keys(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "data" / "deep").mkdir(parents=True)
    (tmp_path / "data" / "deep" / "b").touch()
    os.mkfifo(tmp_path / "data" / "pipe")
    data = str(tmp_path / "data")
    assert keys(data, data) == ["data/deep/b"]
    assert keys(f"{data}/") == ["deep/b"]
    assert keys(f"{data}/pipe", tmp_path / "none") == ["pipe", "none"], "what is asked for by name is answered for"
    monkeypatch.chdir(tmp_path / "data" / "deep")
    assert keys(".") == ["b"]
    assert keys("..") == ["data/deep/b"]


def test_what_would_lie_where_another_does() -> None:
    assert doubled([("a", "x"), ("b", "y"), ("c", "x"), ("a", "x")]) == {"c": "a"}


def test_an_interrupted_transfer_is_given_up() -> None:
    def act(item: int, moves: Moves) -> None:
        if item == 0:
            raise KeyboardInterrupt
        end = time.monotonic() + 2
        while time.monotonic() < end:
            moves(1)
        given_up.remove(item)

    given_up = {1, 2}
    with pytest.raises(KeyboardInterrupt):
        each(act, [0, 1, 2], lambda item: ObjectDone(str(item)), UNWATCHED)
    assert given_up == {1, 2}
