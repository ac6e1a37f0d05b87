"""Which units are fit for a job. Pure."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from aitrain.settings import HostSettings
from workers.gpus.gpu import Gpu, Look

Faults = dict[str, dict[str, str]]


def faults(
    units: Mapping[str, Sequence[str]], looked: Look, in_use: Collection[tuple[str, str]], settings: HostSettings
) -> Faults:
    """Why GPUs are unfit for a job, by flavor and unit. units: of GPU flavors.

    in_use: (flavor, unit) of jobs whose container may have been started: what runs there is theirs, so only what is
    wrong with the GPU itself counts. Where there is no driver, GPUs that were declared are taken as they are.
    """
    if looked.absent and settings.inventory == "declared":
        return {}
    found: Faults = {}
    keepers = _keepers(units, looked, in_use)
    for name in ((flavor, unit) for flavor, ids in units.items() for unit in ids):
        flavor, unit = name
        reason = why_unfit(unit, looked, settings, in_use=name in in_use)
        gpu = looked.find(unit)
        if gpu is not None and (keeper := keepers[gpu.uuid]) != name:
            reason = f"it is the same GPU as {'/'.join(keeper)}, and is offered twice"
        if reason:
            found.setdefault(flavor, {})[unit] = reason
    return found


def _keepers(
    units: Mapping[str, Sequence[str]], looked: Look, in_use: Collection[tuple[str, str]]
) -> dict[str, tuple[str, str]]:
    """Of each GPU, by its uuid, the one unit that it is: it may be offered by number and by id, or in two flavors."""
    keepers: dict[str, tuple[str, str]] = {}
    for name in ((flavor, unit) for flavor, ids in units.items() for unit in ids):
        gpu = looked.find(name[1])
        if gpu is not None and (gpu.uuid not in keepers or name in in_use):
            keepers[gpu.uuid] = name
    return keepers


def why_unfit(unit: str, looked: Look, settings: HostSettings, *, in_use: bool) -> str:
    """Why no job may start on a unit; "" if one may."""
    if looked.absent:
        return "this machine has no NVIDIA driver any more"
    if looked.trouble:
        return looked.trouble
    gpu = looked.find(unit)
    if gpu is None:
        return "the driver does not list it: it is gone, or has fallen off the bus"
    reasons = list(gpu.faults)
    if gpu.mig:
        reasons.append("it is in MIG mode, and no whole GPU: offer its slices")
    if not in_use and not gpu.faults:
        reasons += dirt(gpu, settings)
    return "; ".join(reasons)


def dirt(gpu: Gpu, settings: HostSettings) -> list[str]:
    """What is left on a GPU that no job uses: processes, or memory that nobody gave back."""
    tolerated = set(settings.gpu_tolerated_programs)
    strangers = [process for process in gpu.processes if process.name not in tolerated]
    if strangers:
        named = ", ".join(f"{process.name or 'unknown'} (pid {process.pid})" for process in strangers)
        return [f"in use by {named}"]
    known_mib = sum(process.used_mib for process in gpu.processes)
    if gpu.used_mib - known_mib > settings.gpu_idle_memory_mib:
        return [f"{gpu.used_mib} MiB of its memory are in use"]
    return []
