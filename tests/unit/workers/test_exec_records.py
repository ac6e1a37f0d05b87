"""Which commands nobody attends to."""

from __future__ import annotations

from pathlib import Path

import pytest

from aitrain.domain.errors import SessionRefused
from workers.agent.execs import ExecRecords


def test_those_whose_agent_is_gone(tmp_path: Path) -> None:
    records = ExecRecords(tmp_path)
    assert records.unattended() == []
    with records.attended("a"), records.attended("b"):
        # Given two agents of a host, as when one is exchanged for another: neither ends the other's commands.
        assert ExecRecords(tmp_path).unattended() == []
    assert sorted(ExecRecords(tmp_path).unattended()) == ["a", "b"]
    records.forget("a")
    records.forget("a")
    assert records.unattended() == ["b"]


def test_none_is_started_that_cannot_be_noted(tmp_path: Path) -> None:
    (tmp_path / "execs").touch()
    with pytest.raises(SessionRefused, match="cannot note"), ExecRecords(tmp_path).attended("a"):
        pass
