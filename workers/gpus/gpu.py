"""GPUs as a look finds them. Pure."""

from __future__ import annotations

from dataclasses import dataclass

MIB = 1024**2


@dataclass(frozen=True)
class GpuProcess:
    """A process that has a GPU open. name: of its program's file; used_mib: of the GPU's memory, 0 if nobody knows."""

    pid: int
    name: str
    used_mib: int


@dataclass(frozen=True)
class Gpu:
    """One GPU, or one slice of one (MIG), as the driver describes it.

    number: as the driver counts them, "" for a slice; uuid: its id; memory_mib: in all; used_mib: in use now, by
    whomever; faults: what is wrong with it, in words, whoever uses it; mig: it is cut into slices, and is no whole one;
    busy_percent: of the last second or less, how long it computed; None: the driver does not say, as of slices.
    """

    number: str
    uuid: str
    model: str
    memory_mib: int
    used_mib: int
    processes: tuple[GpuProcess, ...] = ()
    faults: tuple[str, ...] = ()
    mig: bool = False
    busy_percent: int | None = None


@dataclass(frozen=True)
class Look:
    """What the driver lists: whole GPUs and slices.

    absent: there is no NVIDIA driver on this machine; trouble: what the driver says instead of a list.
    """

    gpus: tuple[Gpu, ...] = ()
    absent: bool = False
    trouble: str = ""

    def find(self, unit: str) -> Gpu | None:
        """The GPU or slice that a unit's id means: an id of the driver's, or a number."""
        return next((gpu for gpu in self.gpus if unit in (gpu.uuid, gpu.number)), None)
