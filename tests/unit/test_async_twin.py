"""AsyncClient has the methods of Client, each with the same signature."""

from __future__ import annotations

import inspect

import pytest

from aitrain import AsyncClient, Client
from aitrain.async_calls import AsyncDataStores, AsyncRegistries
from aitrain.data_stores import DataStores
from aitrain.registries import Registries
from deploy.local.async_twin import BY_HAND, FILE, text

ITERATORS = {"iter_jobs", "logs", "bill_lines"}


def public(owner: type) -> set[str]:
    return {name for name, _ in inspect.getmembers(owner, inspect.isfunction) if not name.startswith("_")}


def test_what_is_made_is_up_to_date() -> None:
    assert FILE.read_text() == text(), "run `make docs`"


@pytest.mark.parametrize(
    ("twin", "own"), [(Client, AsyncClient), (DataStores, AsyncDataStores), (Registries, AsyncRegistries)]
)
def test_each_method_has_its_twin(twin: type, own: type) -> None:
    assert public(own) == public(twin)
    for name in public(twin):
        theirs, ours = (inspect.signature(getattr(owner, name)).parameters.values() for owner in (twin, own))
        assert [(one.name, one.kind) for one in ours] == [(one.name, one.kind) for one in theirs], name
        same = [one.default for one in theirs if not callable(one.default)]
        assert [one.default for one in ours if not callable(one.default)] == same, name


def test_by_hand_is_written_what_returns_the_same() -> None:
    for name in BY_HAND:
        theirs, ours = (inspect.signature(getattr(owner, name)) for owner in (Client, AsyncClient))
        wanted = f"Async{theirs.return_annotation}" if name in ITERATORS else theirs.return_annotation
        assert ours.return_annotation == wanted, name
        assert name in ITERATORS or inspect.iscoroutinefunction(getattr(AsyncClient, name))
