"""What an operator asks a drill for, and whether this machine can do it."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from aitrain.domain.errors import InvalidInput
from aitrain.domain.spec import invalid_input
from workers.drill.faults import FAULTS
from workers.scratch.images import BUSYBOX

ALL, NONE = "all", "none"
# command -> the Debian package that brings it
PROGRAMS = {
    "redis-server": "redis-server", "dockerd": "docker.io", "runc": "runc", "ip": "iproute2", "nsenter": "util-linux",
    "setpriv": "util-linux", "mount": "mount", "umount": "mount",
}  # fmt: skip


class Order(BaseModel):
    """What is asked for.

    jobs: how many; seed: of everything that is left to chance; minutes: within which every job has to end, counted
    from the first submission; faults: kinds separated by commas, "all" or "none"; plant: a defect to plant, "" for
    none; keep: leave the directory with the logs.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    jobs: int = Field(ge=1, le=5000)
    seed: int
    minutes: float = Field(gt=0)
    faults: str = ALL
    plant: str = ""
    keep: bool = False

    @property
    def kinds(self) -> tuple[str, ...]:
        """The kinds of faults. Raises InvalidInput if one is not known."""
        if self.faults in (ALL, NONE):
            return tuple(FAULTS) if self.faults == ALL else ()
        named = tuple(kind.strip() for kind in self.faults.split(","))
        for kind in named:
            if kind not in FAULTS:
                known = ", ".join((ALL, NONE, *FAULTS))
                raise InvalidInput.of("faults", kind, "is not a kind of fault", f"use of these: {known}")
        return named

    @property
    def command(self) -> str:
        """How to do the same again."""
        faults = "" if self.faults == ALL else f" --faults {self.faults}"
        planted = f" --plant {self.plant}" if self.plant else ""
        return f"aitrain drill --jobs {self.jobs} --seed {self.seed} --minutes {self.minutes:g}{faults}{planted}"


def read_order(text: str) -> Order:
    """An order from its JSON. Raises InvalidInput."""
    try:
        return Order.model_validate_json(text)
    except ValidationError as error:
        raise invalid_input(error) from None


def check_machine() -> None:
    """Raises InvalidInput if a drill cannot be done here: it names whatever is missing."""
    if os.geteuid() != 0:
        raise InvalidInput.of(
            "user", os.geteuid(), "may not start engines and mount disks", "run the drill as root, as with sudo"
        )
    missing = {name: package for name, package in PROGRAMS.items() if shutil.which(name) is None}
    if not BUSYBOX.exists():
        missing[str(BUSYBOX)] = "busybox-static"
    if not (Path(sys.executable).parent / "rclone").exists() and shutil.which("rclone") is None:
        missing["rclone"] = "rclone"
    if missing:
        packages = " ".join(sorted(set(missing.values())))
        raise InvalidInput.of("programs", ", ".join(missing), "cannot be found", f"apt-get install {packages}")
