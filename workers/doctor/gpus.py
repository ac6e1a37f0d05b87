"""GPUs of this machine: what nvidia-smi lists, and whether what is offered is there."""

from __future__ import annotations

import re
import subprocess
from dataclasses import dataclass

from aitrain.domain.flavor import Kind
from aitrain.settings import Settings
from workers.doctor.finding import Finding, fail, ok, warn

# Without its persistence daemon the driver wakes every GPU for this.
ANSWER_SECONDS = 20.0
GPU = re.compile(r"^GPU (\d+): (.*) \(UUID: (GPU-[^)]+)\)")
SLICE = re.compile(r"^\s+MIG .*\(UUID: (MIG-[^)]+)\)")


@dataclass(frozen=True)
class Gpus:
    """What nvidia-smi lists: number -> id of whole GPUs, and the ids of slices of GPUs. None of both: it is absent.

    trouble: what it says instead of a list.
    """

    whole: dict[str, str]
    slices: frozenset[str]
    models: tuple[str, ...]
    absent: bool = False
    trouble: str = ""


def listed() -> Gpus:
    """Asks nvidia-smi."""
    try:
        done = subprocess.run(["nvidia-smi", "-L"], capture_output=True, text=True, timeout=ANSWER_SECONDS, check=False)
    except FileNotFoundError:
        return Gpus({}, frozenset(), (), absent=True)
    except (OSError, subprocess.TimeoutExpired) as error:
        return Gpus({}, frozenset(), (), trouble=str(error))
    if done.returncode:
        return Gpus({}, frozenset(), (), trouble=" ".join((done.stdout + done.stderr).split())[:300])
    return parse(done.stdout)


def parse(text: str) -> Gpus:
    """The output of `nvidia-smi -L`."""
    lines = text.splitlines()
    whole = [match for line in lines if (match := GPU.match(line))]
    slices = frozenset(match[1] for line in lines if (match := SLICE.match(line)))
    return Gpus({match[1]: match[3] for match in whole}, slices, tuple(sorted({match[2] for match in whole})))


def judge(gpus: Gpus, settings: Settings) -> list[Finding]:
    """The driver works; every unit is a GPU that is there; none is offered twice."""
    offered = [
        (flavor, unit)
        for flavor, ids in settings.host.unit_ids.items()
        if flavor in settings.flavors and settings.flavors[flavor].kind is Kind.GPU
        for unit in ids
    ]
    twice = _twice(gpus, offered)
    if gpus.absent:
        unsure = warn(
            "gpu.ids", f"nvidia-smi is not here: {len(offered)} GPUs are offered unseen",
            "install the NVIDIA driver's tools, and compare host.units with `nvidia-smi -L`",
        )  # fmt: skip
        return [unsure, *twice]
    if gpus.trouble:
        remedy = "see that the driver is loaded and is as new as its libraries (dmesg; a restart after an upgrade)"
        return [fail("gpu.driver", gpus.trouble, remedy), *twice]
    known = {*gpus.whole, *gpus.whole.values(), *gpus.slices}
    missing = [f"{unit} ({flavor})" for flavor, unit in offered if unit not in known]
    here = f"{len(gpus.whole)} here ({', '.join(gpus.models) or 'none'})"
    if missing:
        remedy = "write the ids that `nvidia-smi -L` shows into host.units, or a number of units that is there"
        return [fail("gpu.ids", f"not there: {', '.join(missing)}; {here}", remedy), *twice]
    return [ok("gpu.ids", f"{len(offered)} offered, {here}"), *twice]


def _twice(gpus: Gpus, offered: list[tuple[str, str]]) -> list[Finding]:
    """A GPU may be offered by number and by id, or in two flavors."""
    seen: dict[str, str] = {}
    clashes = []
    for flavor, unit in offered:
        gpu = gpus.whole.get(unit, unit)
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
