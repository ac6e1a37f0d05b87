"""What a host offers: the units that its settings declare, and the GPUs that it finds. Pure.

A GPU is of the flavor whose brand and model stand in its name, word by word ("H100" is in "NVIDIA H100 80GB HBM3",
"V100" is not in "Tesla V100S-PCIE-32GB"), and whose gpu_memory_gib, if given, is the GPU's to a tenth, since vendors
round and ECC takes a sixteenth. Of several such flavors the one with the most words in its name is taken, then one that
gives the memory; two that are alike cannot be told apart, and the GPU is left out.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from aitrain.domain.flavor import Flavor, Kind
from aitrain.settings import Settings
from workers.gpus.gpu import Gpu

MEMORY_TOLERANCE = 0.1
MIB_PER_GIB = 1024


@dataclass(frozen=True)
class Offer:
    """units: flavor -> ids of its units; left_out: id of a GPU -> why it is not offered."""

    units: Mapping[str, Sequence[str]]
    left_out: Mapping[str, str]

    @property
    def count(self) -> int:
        """Units in all."""
        return sum(len(ids) for ids in self.units.values())

    def __str__(self) -> str:
        return ", ".join(f"{len(ids)} x {flavor}" for flavor, ids in self.units.items()) or "nothing"


def offer(settings: Settings, found: Collection[Gpu]) -> Offer:
    """What a host offers that finds these GPUs."""
    units = {flavor: list(ids) for flavor, ids in settings.host.unit_ids.items()}
    left_out: dict[str, str] = {}
    if settings.host.inventory == "nvml":
        declared = {unit for ids in units.values() for unit in ids}
        for gpu in found:
            flavor, why_not = _flavor(gpu, settings.flavors, declared)
            if flavor:
                units.setdefault(flavor, []).append(gpu.uuid)
            elif why_not:
                left_out[gpu.uuid] = why_not
    return Offer(units, left_out)


def may_offer(settings: Settings) -> list[str]:
    """The flavors that a host of these settings may ever offer: its queues. What it finds may change, these do not."""
    found = settings.flavors if settings.host.inventory == "nvml" else {}
    return [*settings.host.units, *(name for name, it in found.items() if it.model and name not in settings.host.units)]


def gpu_units(settings: Settings, units: Mapping[str, Sequence[str]]) -> dict[str, Sequence[str]]:
    """Those that are GPUs, by flavor."""
    return {name: ids for name, ids in units.items() if name in settings.flavors and _is_gpu(settings.flavors[name])}


def flavor_of(gpu: Gpu, flavors: Mapping[str, Flavor]) -> tuple[str, str]:
    """The flavor of a GPU; or "", and why it has none."""
    named = _words(gpu.model)
    fitting: dict[str, tuple[int, bool]] = {}
    for name, flavor in flavors.items():
        wanted = _words(f"{flavor.brand} {flavor.model}") if flavor.model else set()
        # Older drivers leave the brand out of some names; a driver of this one finds no others.
        if _is_gpu(flavor) and wanted and wanted - {"nvidia"} <= named and _memory_fits(flavor, gpu):
            fitting[name] = (len(wanted), bool(flavor.gpu_memory_gib))
    best = [name for name, rank in fitting.items() if rank == max(fitting.values())]
    if len(best) == 1:
        return best[0], ""
    described = f"{gpu.model}, {gpu.memory_mib / MIB_PER_GIB:.0f} GiB"
    if best:
        return "", f"{described}: the flavors {', '.join(sorted(best))} fit it alike"
    return "", f"{described}: no flavor of this site has its model and memory"


def _flavor(gpu: Gpu, flavors: Mapping[str, Flavor], declared: Collection[str]) -> tuple[str, str]:
    """Its flavor; or "", and why it is not offered, "" if that needs no word."""
    if not gpu.number or gpu.uuid in declared:
        return "", ""  # a slice is offered if it is declared
    if gpu.mig:
        return "", f"{gpu.model}: it is in MIG mode; declare its slices in host.units to offer them"
    return flavor_of(gpu, flavors)


def _is_gpu(flavor: Flavor) -> bool:
    return flavor.kind is Kind.GPU


def _memory_fits(flavor: Flavor, gpu: Gpu) -> bool:
    wanted_mib = flavor.gpu_memory_gib * MIB_PER_GIB
    return not wanted_mib or abs(gpu.memory_mib - wanted_mib) <= MEMORY_TOLERANCE * wanted_mib


def _words(name: str) -> set[str]:
    return set(re.findall(r"[a-z0-9]+", name.lower()))
