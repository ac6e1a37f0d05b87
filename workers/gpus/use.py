"""What a job's GPUs do at a moment. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from aitrain.domain.usage import GpuUse
from workers.gpus.gpu import MIB, Look


def gpu_use(units: Iterable[str], looked: Look) -> Iterator[GpuUse]:
    """Of each unit, as a look found it. One of which nothing can be told says why."""
    for unit in units:
        gpu = looked.find(unit)
        if looked.absent:
            yield GpuUse(unit=unit, trouble="its host has no NVIDIA driver")
        elif looked.trouble:
            yield GpuUse(unit=unit, trouble=looked.trouble)
        elif gpu is None:
            yield GpuUse(unit=unit, trouble="the driver does not list it")
        else:
            known = gpu.memory_mib > 0
            yield GpuUse(
                unit=unit,
                busy_percent=gpu.busy_percent,
                memory_bytes=gpu.used_mib * MIB if known else None,
                memory_total_bytes=gpu.memory_mib * MIB if known else None,
                trouble="; ".join(gpu.faults),
            )
