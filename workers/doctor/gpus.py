"""GPUs of this machine: whether what is offered is there and fit for a job, and what is left out."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from aitrain.settings import HostSettings, Settings
from workers.doctor.finding import Finding, fail, ok, warn
from workers.gpus.gpu import Gpu, Look
from workers.gpus.health import dirt
from workers.gpus.offer import gpu_units, offer


def own_pids(looked: Look, container_ids: Collection[str]) -> set[int]:
    """Of the processes on GPUs, those that run in these containers. (The kernel names a process's container.)"""
    pids = {process.pid for gpu in looked.gpus for process in gpu.processes}
    return {pid for pid in pids if any(container in _groups(pid) for container in container_ids)}


def _groups(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cgroup").read_text()
    except OSError:
        return ""


def judge(looked: Look, settings: Settings, own: Collection[int] = ()) -> list[Finding]:
    """The driver works; every unit is a GPU that is there and fit for a job; none is offered twice, none left out.

    own: ids of processes of this host's jobs.
    """
    offered = offer(settings, looked.gpus)
    units = gpu_units(settings, offered.units)
    twice = _twice(looked, units)
    count = sum(len(ids) for ids in units.values())
    if looked.absent:
        if settings.host.inventory == "nvml":
            remedy = "install the NVIDIA driver, or declare what this host offers in host.units"
            return [fail("gpu.driver", "libnvidia-ml.so.1 is not on this machine", remedy)]
        unsure = warn(
            "gpu.ids", f"the NVIDIA driver is not here: {count} GPUs are offered unseen",
            "install the NVIDIA driver, and compare host.units with `nvidia-smi -L`",
        )  # fmt: skip
        return [unsure, *twice]
    if looked.trouble:
        remedy = "see that the driver is loaded and is as new as its libraries (dmesg; a restart after an upgrade)"
        return [fail("gpu.driver", looked.trouble, remedy), *twice]
    missing = [f"{unit} ({flavor})" for flavor, ids in units.items() for unit in ids if looked.find(unit) is None]
    whole = [gpu for gpu in looked.gpus if gpu.number]
    here = f"{len(whole)} here ({', '.join(sorted({gpu.model for gpu in whole})) or 'none'})"
    if missing:
        remedy = "write the ids that `nvidia-smi -L` shows into host.units, or a number of units that is there"
        ids = fail("gpu.ids", f"not there: {', '.join(missing)}; {here}", remedy)
    elif not count:
        ids = warn("gpu.ids", f"none offered, {here}", "see gpu.flavors, and `aitrain flavor list`")
    else:
        ids = ok("gpu.ids", f"{count} offered, {here}")
    return [ids, *twice, *_left_out(offered.left_out), *_health(looked, units, settings.host, own)]


def _twice(looked: Look, units: Mapping[str, Sequence[str]]) -> list[Finding]:
    """A GPU may be offered by number and by id, or in two flavors."""
    seen: dict[str, str] = {}
    clashes = []
    for flavor, unit in ((flavor, unit) for flavor, ids in units.items() for unit in ids):
        found = looked.find(unit)
        gpu = found.uuid if found else unit
        if gpu in seen:
            clashes.append(f"{gpu} ({seen[gpu]} and {flavor})")
        seen.setdefault(gpu, flavor)
    if not clashes:
        return []
    return [
        fail(
            "gpu.twice", f"offered twice: {', '.join(clashes)}: two jobs would share one",
            "give each flavor in host.units GPU ids of its own",
        )
    ]  # fmt: skip


def _left_out(left_out: Mapping[str, str]) -> list[Finding]:
    remedy = "give the site a flavor with its brand, model and gpu_memory_gib in [flavors], if jobs are to have it"
    return [warn("gpu.flavors", f"{uuid} is not offered: {why}", remedy) for uuid, why in left_out.items()]


def _health(
    looked: Look, units: Mapping[str, Sequence[str]], host: HostSettings, own: Collection[int]
) -> list[Finding]:
    check, findings = "gpu.health", []
    offered = {gpu.uuid: gpu for ids in units.values() for unit in ids if (gpu := looked.find(unit)) is not None}
    for gpu in offered.values():
        if gpu.faults:
            remedy = "reset it (nvidia-smi --gpu-reset) or restart the machine; replace it if that does not help"
            findings.append(fail(check, f"{gpu.uuid}: {'; '.join(gpu.faults)}", remedy))
        elif left := "; ".join(_dirt(gpu, host, own)):
            remedy = "end it, or name programs that may stay there in host.gpu_tolerated_programs"
            findings.append(warn(check, f"{gpu.uuid}: {left}, and it is set aside", remedy))
    return findings or ([ok(check, f"{len(offered)} are clean and sound")] if offered else [])


def _dirt(gpu: Gpu, host: HostSettings, own: Collection[int]) -> Sequence[str]:
    others = tuple(process for process in gpu.processes if process.pid not in own)
    # Where a job runs, the memory is the job's.
    used_mib = gpu.used_mib if len(others) == len(gpu.processes) else 0
    return dirt(replace(gpu, processes=others, used_mib=used_mib), host)
