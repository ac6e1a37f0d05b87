"""The command lines of the processes that Celery brings: aitrain wraps them, it does not hide them."""

from __future__ import annotations

import sys
from pathlib import Path

from aitrain.broker import CONTROL_QUEUE, host_queue
from aitrain.settings import Settings
from workers.gpus.offer import may_offer
from workers.worker_info import offer_name

CELERY = [sys.executable, "-m", "workers.celery_command"]
# Two sweeps at once, while two checks of data stores wait for answers that do not come.
CONTROL_CONCURRENCY = 4
# More than a machine has. How many the agent finds may change, and threads that are not needed are not made.
MOST_GPUS = 16


def _worker(role: str, name: str, queues: list[str], concurrency: int) -> list[str]:
    # Threads, since the steps wait on network and disk; events for Flower; no chatter between workers.
    return [
        *CELERY, role, "--pool", "threads", "--concurrency", str(concurrency), "--hostname", name,
        "--queues", ",".join(queues), "--task-events", "--without-gossip", "--without-mingle",
    ]  # fmt: skip


def worker(settings: Settings) -> list[str]:
    """The worker of a host: consumes the host's own queues only."""
    host = settings.host
    queues = [host_queue(settings.flavors[flavor].kind, flavor, host.name) for flavor in may_offer(settings)]
    units = sum(len(ids) for ids in host.unit_ids.values()) + (MOST_GPUS if host.inventory == "nvml" else 0)
    concurrency = host.worker_concurrency or host.most_jobs(units)
    return _worker("worker", f"{host.name}@{offer_name(settings)}", queues, concurrency)


def agent() -> list[str]:
    """The agent of a host."""
    return [sys.executable, "-m", "workers", "agent"]


def control() -> list[str]:
    """A control worker: runs the sweeps. Two may run at once."""
    return _worker("control", "control@%h", [CONTROL_QUEUE], CONTROL_CONCURRENCY)


def beat(schedule: str) -> list[str]:
    """Beat, the clock of the sweeps. schedule: the file in which it keeps when each ran last."""
    return [*CELERY, "beat", "--schedule", schedule, "--pidfile="]


def flower(address: str, port: int, *, read_only: bool) -> list[str]:
    """Flower, over this site's broker. The rest is in the settings, and flowerconfig.py tells Flower of it."""
    return [
        sys.executable, "-m", "celery", "-A", "workers.app", "flower", f"--address={address}", f"--port={port}",
        f"--read_only={read_only}", f"--conf={Path(__file__).with_name('flowerconfig.py')}",
    ]  # fmt: skip
