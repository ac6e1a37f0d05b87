"""Containers as aitrain asks for them and as it finds them. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from pathlib import Path
from typing import Any

from aitrain.domain.egress import Egress

GIB = 1024**3
# What an engine reports as the time of something that has not happened.
NEVER = "0001-01-01T00:00:00Z"


class Labels:
    """The labels by which a host knows its containers again. They carry ids only."""

    SITE = "aitrain.site"
    HOST = "aitrain.host"
    JOB = "aitrain.job"
    ATTEMPT = "aitrain.attempt"
    FENCE = "aitrain.fence"
    PROJECT = "aitrain.project"


def container_name(job_id: str, attempt: int) -> str:
    """The name of an attempt's container: creating it twice finds the first."""
    return f"aitrain-{job_id}-{attempt}"


@dataclass(frozen=True)
class Mount:
    """A directory of the host, mounted in the job."""

    source: Path
    target: str
    read_only: bool


@dataclass(frozen=True)
class ContainerSpec:
    """A container to create. cpus: processors; memory, shm in GiB; gpu_ids: device ids, none for a CPU job; egress:
    what it may reach, as far as its host lets any job.
    """

    name: str
    image: str
    command: tuple[str, ...]
    labels: dict[str, str]
    cpus: Decimal
    memory_gib: Decimal
    shm_gib: Decimal
    gpu_ids: tuple[str, ...] = ()
    mounts: tuple[Mount, ...] = ()
    egress: Egress = Egress.NONE
    env: dict[str, str] = field(default_factory=dict, repr=False)

    @property
    def memory_bytes(self) -> int:
        """Memory limit in bytes; swap is not given beside it."""
        return int(self.memory_gib * GIB)

    @property
    def shm_bytes(self) -> int:
        """Size of /dev/shm in bytes."""
        return int(self.shm_gib * GIB)


class Ending(StrEnum):
    """What an engine remembers of a container's end."""

    OWN = "its command ended by itself, as far as the engine knows"
    OUT_OF_MEMORY = "the kernel killed a process of it for want of memory"
    IMPOSED = "a signal ended it"
    UNSEEN = "the engine was not there, or has been restarted since"


@dataclass(frozen=True)
class Container:
    """A container of ours as the engine has it. Times: Unix ms by the engine's clock, None if it has not happened.

    image: the reference that it was made with; image_id: the engine's id of what that was then; pid: of its first
    process, as its engine numbers it, 0 if it does not run; network: the engine's name of its network.
    """

    id: str
    name: str
    job_id: str
    fence: str
    running: bool
    started_ms: int | None
    finished_ms: int | None
    exit_code: int | None
    out_of_memory: bool
    image_id: str = ""
    image: str = ""
    pid: int = 0
    network: str = ""

    @property
    def egress(self) -> Egress:
        """What it may reach."""
        return Egress.NONE if self.network == "none" else Egress.BRIDGE

    @property
    def exited(self) -> bool:
        """It ran and ended. (A container that could not be started has an exit code, but never ran.)"""
        return not self.running and self.started_ms is not None

    @classmethod
    def created(cls, container_id: str, spec: ContainerSpec) -> Container:
        """A container that the engine has just created."""
        job_id, fence = spec.labels[Labels.JOB], spec.labels[Labels.FENCE]
        return cls(container_id, spec.name, job_id, fence, False, None, None, None, out_of_memory=False)

    @classmethod
    def of(cls, attrs: dict[str, Any]) -> Container:
        """From the engine's answer to an inspection."""
        state, labels = attrs["State"], attrs["Config"].get("Labels") or {}
        running = bool(state.get("Running") or state.get("Restarting"))
        started_ms = engine_time_ms(state.get("StartedAt", NEVER))
        ended = started_ms is not None and not running
        return cls(
            id=attrs["Id"],
            name=attrs["Name"].lstrip("/"),
            job_id=labels.get(Labels.JOB, ""),
            fence=labels.get(Labels.FENCE, ""),
            running=running,
            started_ms=started_ms,
            finished_ms=engine_time_ms(state.get("FinishedAt", NEVER)) if ended else None,
            exit_code=int(state.get("ExitCode", 0)) if ended else None,
            out_of_memory=bool(state.get("OOMKilled")),
            image_id=attrs.get("Image", ""),
            image=attrs["Config"].get("Image", ""),
            pid=int(state.get("Pid") or 0) if running else 0,
            network=(attrs.get("HostConfig") or {}).get("NetworkMode") or "",
        )


def digest_of(image: str, repo_digests: list[str]) -> str:
    """By which digest ("sha256:...") the registry of a reference knows an image; "" if it does not come from one.

    repo_digests: as the engine lists them ("registry.example/team/trainer@sha256:..."): an image may come from several.
    """
    name = image.partition("@")[0]
    repository = name.rpartition(":")[0] if ":" in name.rpartition("/")[2] else name
    digests = dict(one.split("@", 1) for one in repo_digests if "@" in one)
    return digests.get(repository, "")


def engine_time_ms(text: str) -> int | None:
    """The engine's RFC 3339 time, which has up to nine digits of a second, as Unix milliseconds."""
    if text == NEVER:
        return None
    return int(datetime.fromisoformat(text[:19] + "+00:00").timestamp()) * 1000 + _milliseconds(text)


def _milliseconds(text: str) -> int:
    digits = text[20:].rstrip("Z") if text[19:20] == "." else ""
    return int(digits[:3].ljust(3, "0")) if digits else 0
