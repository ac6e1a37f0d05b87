"""Which GPU is offered as what."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from aitrain.domain.flavor import BUILT_IN, Flavor, Kind
from aitrain.settings import HostSettings, Settings
from workers.gpus.gpu import Gpu
from workers.gpus.offer import flavor_of, gpu_units, may_offer, offer


def gpu(model: str, gib: float, uuid: str = "GPU-a", number: str = "0", **more: Any) -> Gpu:
    return Gpu(number, uuid, model, int(gib * 1024), 0, **more)


def flavor(model: str, gib: int = 0, brand: str = "NVIDIA") -> Flavor:
    one = Decimal(1)
    return Flavor(
        kind=Kind.GPU, brand=brand, model=model, gpu_memory_gib=gib, cpu=one, memory_gib=one, hourly_price=one
    )


CATALOGUE = {
    **BUILT_IN,
    "v100": flavor("V100", 16),
    "h100-nvl": flavor("H100 NVL", 94),
    "a100-40": flavor("A100", 40),
    "a100-80": flavor("A100", 80),
    "l4": flavor("L4", 24),
    "l40s": flavor("L40S"),
    "t4": flavor("T4", 16),
    "slices": flavor(""),
}


# Names and sizes as drivers tell them.
@pytest.mark.parametrize(
    ("model", "gib", "expected"),
    [
        ("Tesla V100S-PCIE-32GB", 31.75, "v100s"),
        ("Tesla V100-SXM2-16GB", 15.8, "v100"),
        ("NVIDIA H100 80GB HBM3", 79.6, "h100"),
        ("NVIDIA H100 PCIe", 79.6, "h100"),
        ("NVIDIA H100 NVL", 93.6, "h100-nvl"),
        ("NVIDIA A100-SXM4-80GB", 80, "a100-80"),
        ("NVIDIA A100-PCIE-40GB", 39.6, "a100-40"),
        ("NVIDIA L4", 22.5, "l4"),
        ("NVIDIA L40S", 45, "l40s"),
        ("Tesla T4", 15, "t4"),
        ("NVIDIA H200", 140.4, ""),
        ("NVIDIA GeForce RTX 4090", 24, ""),
    ],
)
def test_the_flavor_of_a_model(model: str, gib: float, expected: str) -> None:
    found, why_not = flavor_of(gpu(model, gib), CATALOGUE)
    assert found == expected
    assert bool(why_not) != bool(found)


def test_two_flavors_that_are_alike_are_none() -> None:
    found, why_not = flavor_of(gpu("NVIDIA L40S", 45), {"one": flavor("L40S"), "two": flavor("L40S")})
    assert found == ""
    assert "one, two fit it alike" in why_not


def host(inventory: str, **units: Any) -> Settings:
    return Settings(host=HostSettings(name="gpu-01", inventory=inventory, units=units))  # type: ignore[arg-type]


def test_what_is_found_stands_beside_what_is_declared() -> None:
    found = [
        gpu("NVIDIA H100 PCIe", 79.6, "GPU-a"),
        gpu("NVIDIA H200", 140.4, "GPU-b", "1"),
        gpu("NVIDIA H100 PCIe", 79.6, "GPU-c", "2", mig=True),
        gpu("NVIDIA H100 PCIe MIG 1g.10gb", 9.8, "MIG-x", ""),
    ]
    offered = offer(host("nvml", cpu=2), found)
    assert offered.units == {"cpu": ["0", "1"], "h100": ["GPU-a"]}
    assert (offered.count, str(offered)) == (3, "2 x cpu, 1 x h100")
    assert set(offered.left_out) == {"GPU-b", "GPU-c"}
    assert "declare its slices" in offered.left_out["GPU-c"]
    assert gpu_units(host("nvml"), offered.units) == {"h100": ["GPU-a"]}


def test_a_declared_inventory_is_what_it_says() -> None:
    offered = offer(host("declared", h100=["GPU-x"]), [gpu("NVIDIA H100 PCIe", 79.6)])
    assert (offered.units, offered.left_out) == ({"h100": ["GPU-x"]}, {})


def test_the_queues_of_a_host_do_not_depend_on_what_it_finds() -> None:
    assert may_offer(host("declared", cpu=1)) == ["cpu"]
    assert may_offer(host("nvml", cpu=1)) == ["cpu", "v100s", "h100"]
