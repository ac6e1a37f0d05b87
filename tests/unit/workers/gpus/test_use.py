"""What is told of a job's GPUs."""

from __future__ import annotations

import pytest

from aitrain.domain.usage import GpuUse
from workers.gpus import Gpu, Look, gpu_use
from workers.gpus.gpu import MIB


def test_each_unit_by_its_id_or_number() -> None:
    whole = Gpu("0", "GPU-a", "NVIDIA H100", 80_000, 900, busy_percent=42)
    a_slice = Gpu("", "MIG-x", "NVIDIA H100 MIG 1g.10gb", 9_984, 20)
    assert list(gpu_use(["0", "MIG-x"], Look((whole, a_slice)))) == [
        GpuUse(unit="0", busy_percent=42, memory_bytes=900 * MIB, memory_total_bytes=80_000 * MIB),
        GpuUse(unit="MIG-x", memory_bytes=20 * MIB, memory_total_bytes=9_984 * MIB),
    ]


@pytest.mark.parametrize(
    ("looked", "said"),
    [
        (Look(absent=True), "its host has no NVIDIA driver"),
        (Look(trouble="NVML: Driver Not Loaded"), "NVML: Driver Not Loaded"),
        (Look(), "the driver does not list it"),
        (Look((Gpu("0", "GPU-a", "NVIDIA H100", 0, 0, faults=("it is lost",)),)), "it is lost"),
    ],
)
def test_one_of_which_nothing_is_known_says_why(looked: Look, said: str) -> None:
    assert list(gpu_use(["GPU-a"], looked)) == [GpuUse(unit="GPU-a", trouble=said)]
