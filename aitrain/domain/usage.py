"""What a running job uses. Pure."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict


class JobStats(BaseModel):
    """What a job uses at a moment.

    cpu_percent: of its own share, over the last second; memory and its limit, and what was sent and received, read and
    written since it began, in bytes; processes: their number, threads included.
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


def stats_of(told: dict[str, Any], cpus: float | None) -> JobStats:
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
    )
