"""Every defect that can be planted still finds what it changes, and every column has one that shows in it."""

from __future__ import annotations

from pathlib import Path

import pytest

import aitrain
from aitrain.domain.errors import InvalidInput
from workers.drill.checks import Column
from workers.drill.defects import DEFECTS, Change
from workers.drill.faults import FAULTS
from workers.drill.order import Order
from workers.drill.planting import changed, plant

ROOT = Path(aitrain.__file__).parent.parent


@pytest.mark.parametrize("name", DEFECTS)
def test_what_a_defect_changes_is_there_once(name: str) -> None:
    for change in DEFECTS[name].changes:
        text = (ROOT / change.file).read_text()
        assert changed(text, change) != text


@pytest.mark.parametrize("name", DEFECTS)
def test_the_drill_that_shows_a_defect_can_be_ordered(name: str) -> None:
    defect = DEFECTS[name]
    order = Order(jobs=defect.jobs, seed=defect.seed, minutes=1, faults=defect.faults, plant=name)
    assert set(order.kinds) <= set(FAULTS)


def test_every_column_has_a_defect() -> None:
    assert {defect.shows for defect in DEFECTS.values()} == set(Column)


@pytest.mark.parametrize("text", ["", "a line, a line"])
def test_a_text_that_is_not_there_exactly_once_stops_the_drill(text: str) -> None:
    with pytest.raises(InvalidInput, match="adapt the defect"):
        changed(text, Change("file", "a line", "another"))


def test_a_planted_copy_is_what_its_variables_run(tmp_path: Path) -> None:
    variables = plant("minute-more", tmp_path / "planted")
    assert variables["PYTHONPATH"] == str(tmp_path / "planted")
    planted = tmp_path / "planted" / "aitrain" / "store" / "lua" / "shared" / "ledger.lua"
    assert "= 1 + math.max" in planted.read_text()


def test_a_defect_that_there_is_not(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="fence-unchecked"):
        plant("nonsense", tmp_path)
