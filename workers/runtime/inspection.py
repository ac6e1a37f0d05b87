"""What a Docker Engine says of itself: for diagnosis. Reads only."""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import docker

from aitrain.settings import HostSettings
from workers.runtime.faults import engine_errors
from workers.runtime.firewall import rules

ANSWER_SECONDS = 10
# What CDI names of NVIDIA's GPUs begin with; their UUID or number follows.
CDI_GPU = "nvidia.com/gpu="


@dataclass(frozen=True)
class EngineFacts:
    """An engine as it describes itself. Sizes in bytes, times in seconds.

    limits: what it can hold a container to, of "memory", "swap", "cpu" and "pids"; security: names of its options, such
    as "rootless"; cdi: it may know GPUs by CDI; cdi_gpus: it says that it does; ahead_s: its clock minus this
    machine's, true to error_s; firewall: the rules of iptables where it runs, None if they cannot be read or it uses
    something else.
    """

    version: str
    api: tuple[int, ...]
    live_restore: bool
    swarm: bool
    runtimes: tuple[str, ...]
    cdi: bool
    cdi_gpus: bool
    processors: int
    memory: int
    limits: frozenset[str]
    security: tuple[str, ...]
    storage_driver: str
    cgroup_version: str
    root: str
    networks: tuple[str, ...]
    ahead_s: float
    error_s: float
    firewall: str | None = None


LIMITS = {"memory": "MemoryLimit", "swap": "SwapLimit", "cpu": "CpuCfsQuota", "pids": "PidsLimit"}


def inspect(settings: HostSettings) -> EngineFacts:
    """Asks the engine. Raises EngineUnavailable if it does not answer, and PlatformFault if it fails."""
    with engine_errors("describe itself"):
        client = docker.DockerClient(base_url=settings.docker_url, timeout=ANSWER_SECONDS)
        try:
            version = client.version()
            began = time.time()
            info: dict[str, Any] = client.info()
            ended = time.time()
            networks = tuple(str(network["Name"]) for network in client.api.networks())
        finally:
            client.close()
    theirs = datetime.fromisoformat(info["SystemTime"]).timestamp()
    return EngineFacts(
        version=str(info.get("ServerVersion", "")),
        api=tuple(int(part) for part in str(version["ApiVersion"]).split(".")),
        live_restore=bool(info.get("LiveRestoreEnabled")),
        swarm=(info.get("Swarm") or {}).get("LocalNodeState") == "active",
        runtimes=tuple(info.get("Runtimes") or ()),
        cdi=_may_have_cdi_gpus(info),
        cdi_gpus=has_cdi_gpus(info),
        processors=int(info["NCPU"]),
        memory=int(info["MemTotal"]),
        limits=frozenset(limit for limit, field in LIMITS.items() if info.get(field)),
        security=tuple(_name(option) for option in info.get("SecurityOptions") or ()),
        storage_driver=str(info.get("Driver", "")),
        cgroup_version=str(info.get("CgroupVersion", "1")),
        root=str(info.get("DockerRootDir", "")),
        networks=networks,
        ahead_s=theirs - (began + ended) / 2,
        # It reads its clock somewhere on the way, and taking stock of itself may take long.
        error_s=(ended - began) / 2,
        firewall=None if _uses_nftables(info) else rules(settings.docker_url),
    )


def _uses_nftables(info: dict[str, Any]) -> bool:
    """Newer engines say what they guard containers with."""
    return str((info.get("FirewallBackend") or {}).get("Driver", "")).startswith("nftables")


def _name(option: str) -> str:
    """The name in "name=seccomp,profile=default"."""
    return option.partition(",")[0].removeprefix("name=")


def has_cdi_gpus(info: dict[str, Any]) -> bool:
    """Whether an engine says that it found GPUs by CDI; only newer ones list what they found."""
    return any(str(device.get("ID", "")).startswith(CDI_GPU) for device in info.get("DiscoveredDevices") or ())


def _may_have_cdi_gpus(info: dict[str, Any]) -> bool:
    """Older ones only say where they look."""
    return has_cdi_gpus(info) or ("DiscoveredDevices" not in info and bool(info.get("CDISpecDirs")))
