"""The benchmarks of a fleet still run: with tiny numbers, for they are looked at too rarely to be found broken then."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.fleet import Sizes, measure


def test_the_benchmarks_of_a_fleet_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    measure(tmp_path, Sizes(hosts=(1, 2), queued=(4, 8), samples=3, jobs=10, kept=10))
    said = capsys.readouterr().out
    for part in ("2 hosts, 8 queued", "came free", "from cold", "heartbeat of a host", "from submission to end",
                 "job that has ended", "in the ledger"):  # fmt: skip
        assert part in said
    assert "x 2 hosts" in said
