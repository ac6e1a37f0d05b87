"""An NVIDIA driver that is not one: a library that answers from a text file, for the real binding to load."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

SOURCE = Path(__file__).with_name("fake_nvml.c")


@dataclass(frozen=True)
class FakeGpu:
    """What the library says of one GPU, or of one slice. Memory in MiB; lost: the code with which it is not readable;
    busy: in percent, None if that is not told; processes: (pid, program, MiB).
    """

    uuid: str
    name: str = "NVIDIA H100 80GB HBM3"
    total: int = 81_559
    used: int = 0
    mig: bool = False
    ecc: int = 0
    pending: bool = False
    failed: bool = False
    recovery: int = 0
    lost: int = 0
    busy: int | None = None
    processes: Sequence[tuple[int, str, int]] = ()

    @property
    def line(self) -> str:
        """As the library reads it."""
        flags = (int(self.mig), self.ecc, int(self.pending), int(self.failed), self.recovery, self.lost)
        busy = -1 if self.busy is None else self.busy
        processes = ",".join(f"{pid}:{program}:{mib}" for pid, program, mib in self.processes)
        return "|".join(map(str, (self.uuid, self.name, self.total, self.used, *flags, busy, processes)))


class FakeDriver:
    """The library, in a directory of its own, and what it says now."""

    def __init__(self, directory: Path) -> None:
        self._says = directory / "gpus"
        self._directory = directory
        library = directory / "libnvidia-ml.so.1"
        subprocess.run(["tcc", "-shared", "-o", str(library), str(SOURCE)], check=True)
        self.has()

    def has(self, *gpus: FakeGpu) -> None:
        """From now on it lists these."""
        self._say("\n".join(gpu.line for gpu in gpus))

    def fails(self, code: int) -> None:
        """From now on it cannot be opened."""
        self._say(f"error|{code}")

    @property
    def variables(self) -> dict[str, str]:
        """For the processes that are to find it."""
        return {"LD_LIBRARY_PATH": str(self._directory), "FAKE_NVML": str(self._says)}

    def _say(self, text: str) -> None:
        new = self._says.with_suffix(".new")  # never half a file
        new.write_text(text + "\n")
        new.replace(self._says)
