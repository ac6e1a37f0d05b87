"""What a running job uses. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from pydantic import BaseModel, ConfigDict


class GpuUse(BaseModel):
    """What one of a job's GPUs, or slices of one, does at a moment, as its driver says.

    unit: its id, as in the job's unit_ids; busy_percent: of the last second or less, how long it computed; memory in
    use and in all, in bytes, to a MiB; None: not told, as of how busy a slice is; trouble: what is wrong with it, or
    why nothing is told, "" if all is well.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    unit: str
    busy_percent: int | None = None
    memory_bytes: int | None = None
    memory_total_bytes: int | None = None
    trouble: str = ""


class JobStats(BaseModel):
    """What a job uses at a moment.

    cpu_percent: of its own share, over the last second; memory and its limit, and what was sent and received, read and
    written since it began, in bytes; processes: their number, threads included; gpus: one for each that it has.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    cpu_percent: float
    memory_bytes: int
    memory_limit_bytes: int
    received_bytes: int
    sent_bytes: int
    read_bytes: int
    written_bytes: int
    processes: int
    gpus: tuple[GpuUse, ...] = ()


def stats_of(told: dict[str, Any], cpus: float | None, gpus: Iterable[GpuUse] = ()) -> JobStats:
    """From what an engine tells. cpus: the processors that the job may use, None for all."""
    now, before = told.get("cpu_stats") or {}, told.get("precpu_stats") or {}
    used = now["cpu_usage"]["total_usage"] - before["cpu_usage"]["total_usage"]
    system = now.get("system_cpu_usage", 0) - before.get("system_cpu_usage", 0)
    online = now.get("online_cpus") or 1
    share = used / system * online / (cpus or online) * 100 if system > 0 else 0.0
    memory = told.get("memory_stats") or {}
    # Files that the kernel would drop at need are not the job's: the engine's own client leaves them out, too.
    spare = (memory.get("stats") or {}).get("inactive_file", 0)
    networks = (told.get("networks") or {}).values()
    blocks = (told.get("blkio_stats") or {}).get("io_service_bytes_recursive") or ()
    return JobStats(
        cpu_percent=round(share, 1),
        memory_bytes=max(0, memory.get("usage", 0) - spare),
        memory_limit_bytes=memory.get("limit", 0),
        received_bytes=sum(one["rx_bytes"] for one in networks),
        sent_bytes=sum(one["tx_bytes"] for one in networks),
        read_bytes=sum(one["value"] for one in blocks if one["op"].lower() == "read"),
        written_bytes=sum(one["value"] for one in blocks if one["op"].lower() == "write"),
        processes=(told.get("pids_stats") or {}).get("current", 0),
        gpus=tuple(gpus),
    )
