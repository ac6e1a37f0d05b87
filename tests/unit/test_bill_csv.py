"""Bills as CSV, where what stands in old ledgers is older than the rules for names."""

from __future__ import annotations

import pytest

from aitrain.cli.bills import _write_csv


def test_a_bare_return_begins_no_row(capsys: pytest.CaptureFixture[str]) -> None:
    _write_csv([["ann\r=1+1", "1.00"]])
    assert capsys.readouterr().out == '"ann\r=1+1",1.00\n', "or a row would begin with a formula"
