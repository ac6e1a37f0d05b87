"""What the drill's operator orders holds, whatever becomes of Redis meanwhile."""

from __future__ import annotations

from typing import Any, cast

import pytest

from aitrain import Client
from aitrain.domain.errors import StoreUnavailable
from aitrain.domain.host import FlavorView, HostView, UnitView
from workers.drill import ordering

CORDONED = HostView(
    name="h1", seen_ms_ago=0, max_jobs=4, alive=True, lost=False, cordon_ms=1,
    flavors=(FlavorView(flavor="cpu", units=(UnitView(id="0", cordon="why"), UnitView(id="1"))),),
)  # fmt: skip
FREE = CORDONED.model_copy(update={"cordon_ms": None, "flavors": ()})


class Forgetful:
    """A store that answers so, look by look."""

    def __init__(self, *answers: HostView | None) -> None:
        self._answers, self.orders = list(answers), 0

    def uncordon_host(self, *_: Any) -> None:
        self.orders += 1
        if self.orders == 1:
            raise StoreUnavailable("it is away")

    def host(self, _: str) -> HostView:
        answer = self._answers.pop(0)
        if answer is None:
            raise StoreUnavailable("it is away")
        return answer


@pytest.fixture(autouse=True)
def _at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ordering, "SYNCED_SECONDS", 0)
    monkeypatch.setattr(ordering, "AGAIN_SECONDS", 0)


@pytest.mark.parametrize(
    ("unit", "answers", "orders"),
    [
        ("", [FREE], 2),
        ("", [CORDONED, None, FREE], 4),
        ("cpu/0", [CORDONED, FREE], 3),
        ("cpu/1", [CORDONED], 2),
        ("", [CORDONED] * 9, 1 + ordering.MOST_ORDERS),
    ],
)
def test_it_gives_back_until_that_stays(unit: str, answers: list[HostView | None], orders: int) -> None:
    store = Forgetful(*answers)
    ordering._give_back(cast(Client, store), "h1", unit)
    assert store.orders == orders
