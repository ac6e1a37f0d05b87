"""What a host is and offers, by its settings and by what its agent found."""

from __future__ import annotations

from typing import Any

import pytest

from aitrain.domain.errors import InvalidInput
from aitrain.domain.flavor import Kind
from aitrain.domain.states import State
from aitrain.settings import HostSettings, Settings, Timing
from aitrain.store import HostJob
from workers.agent import inventory
from workers.agent.gpus import in_use
from workers.agent.inventory import Inventory, check_inventory
from workers.gpus import Gpu, Look

FINDS = Settings(host=HostSettings(name="h1", inventory="nvml"))
GPU = Gpu("0", "GPU-a", "NVIDIA H100 PCIe", 81_559, 0)


@pytest.mark.parametrize(
    ("host", "timing", "field"),
    [
        ({"units": {"cpu": 1}}, {}, "host.name"),
        ({"name": "h1"}, {}, "host.units"),
        ({"name": "h1", "units": {"tpu": 1}}, {}, "host.units"),
        ({"name": "h1", "units": {"h100": 1}, "inventory": "nvml"}, {}, "host.units"),
        ({"name": "h1", "units": {"h100": 1, "v100s": 2, "cpu": 4}}, {}, "host.units"),
        ({"name": "h1", "units": {"h100": ["GPU-a"], "v100s": ["GPU-b", "GPU-a"]}}, {}, "host.units"),
        ({"name": "h1", "inventory": "nvml"}, {"gpu_look_seconds": 0}, "timing.gpu_look_seconds"),
        ({"name": "h1", "inventory": "nvml"}, {}, "host.inventory"),
    ],
)
def test_what_a_host_cannot_be(
    host: dict[str, Any], timing: dict[str, Any], field: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(inventory, "look", lambda: Look(absent=True))
    with pytest.raises(InvalidInput) as caught:
        check_inventory(Settings(host=HostSettings(**host), timing=Timing(**timing)))
    assert caught.value.problems[0].field == field


def test_a_driver_that_ails_does_not_keep_a_host_from_starting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inventory, "look", lambda: Look(trouble="NVML: Driver Not Loaded"))
    check_inventory(FINDS)


def test_a_gpu_that_falls_ill_or_vanishes_stays_on_offer() -> None:
    found = Inventory(FINDS)
    assert found.stock.offer.units == {}
    for looked in (
        Look((GPU,)),
        Look((Gpu("0", "GPU-a", "", 0, 0, faults=("it is lost",)),)),
        Look(),
        Look(trouble="x"),
    ):
        assert found.found(looked).units == {"h100": ["GPU-a"]}
    assert found.found(Look((Gpu("0", "GPU-b", "NVIDIA H100 PCIe", 81_559, 0),))).units == {"h100": ["GPU-a", "GPU-b"]}


@pytest.mark.parametrize(
    ("host", "timing", "expected"),
    [
        (HostSettings(units={"cpu": 4}), Timing(), False),
        (HostSettings(units={"v100s": 1}), Timing(), True),
        (HostSettings(units={"v100s": 1}), Timing(gpu_look_seconds=0), False),
        (HostSettings(inventory="nvml"), Timing(), True),
    ],
)
def test_who_is_looked_at(host: HostSettings, timing: Timing, expected: bool) -> None:
    known = Inventory(Settings(host=host, timing=timing))
    assert known.to_be_looked_at is expected
    assert known.looked.is_set() is not expected, "nobody waits for a look that is not made"


def test_a_unit_is_in_use_once_its_job_may_run() -> None:
    def job(unit: str, **more: bool) -> HostJob:
        return HostJob("j", "1.a", Kind.GPU, "h100", State.PENDING, unit_ids=(unit,), **more)

    jobs = [job("GPU-a"), job("GPU-b", starting=True), job("GPU-c", started=True)]
    assert in_use(jobs) == {("h100", "GPU-b"), ("h100", "GPU-c")}


def test_a_host_that_does_not_look_any_more_takes_back_what_it_found() -> None:
    declared = HostSettings(name="h1", units={"h100": 1})
    looks = Inventory(Settings(host=declared))
    assert (looks.to_be_looked_at, looks.stock.faults) == (True, None)
    blind = Inventory(Settings(host=declared, timing=Timing(gpu_look_seconds=0)))
    assert (blind.to_be_looked_at, blind.stock.faults) == (False, {})
