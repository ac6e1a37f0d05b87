"""The scratch site that a drill breaks: its own Redis, S3 server, two engines as two hosts, and aitrain's processes."""

from __future__ import annotations

import logging
import shutil
import threading
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from redis import Redis

from aitrain import Client
from aitrain.store.keys import Keys
from workers.drill.faults import HOSTS
from workers.drill.orders import BUCKET, INPUT_KEY
from workers.scratch.disk import SmallDisk
from workers.scratch.images import ensure_busybox
from workers.scratch.link import Link
from workers.scratch.servers import DockerEngine, RedisServer, S3Server, wait_until
from workers.scratch.site import Aitrain, LocalSite

log = logging.getLogger(__name__)

NAMESPACE = "drill"
START_SECONDS = 90.0
# Room for the results of all jobs that a host holds at once; see size_bytes in plan.py.
DISK_MIB = 384
CPUS_PER_HOST, GPUS_PER_HOST = 4, 2
# The engine of this host has live-restore: its containers run on while it is away. Those of the other end with it.
LIVE_RESTORE = {"h1": True, "h2": False}

# Small enough that a job can run out of memory at once, and that two processors carry two hosts full of jobs.
FLAVORS: dict[str, Any] = {
    "cpu": {"kind": "cpu", "cpu": "0.5", "memory_gib": "0.0625", "hourly_price": "0.06", "default": True},
    "v100s": {"kind": "gpu", "cpu": "0.5", "memory_gib": "0.0625", "hourly_price": "1.93", "default": True},
    "h100": {"kind": "gpu", "cpu": "0.5", "memory_gib": "0.0625", "hourly_price": "2.80"},
}
# Everything that waits by default for seconds or minutes waits for less here. Faults are bounded by these times:
# see LOST_SECONDS in faults.py.
# An agent that is killed should be back before its grace is over: on a busy machine it takes some seconds to start.
GRACE_SECONDS, STOP_GRACE_SECONDS, MARGIN_SECONDS, LEASE_SECONDS = 6.0, 1.0, 3.0, 6.0
LOST_AFTER_SECONDS = GRACE_SECONDS + STOP_GRACE_SECONDS + MARGIN_SECONDS
TIMING: dict[str, float] = {
    "heartbeat_seconds": 0.3,
    "host_lease_seconds": LEASE_SECONDS,
    "host_grace_seconds": GRACE_SECONDS,
    "host_lost_margin_seconds": MARGIN_SECONDS,
    "finalizing_patience_seconds": 300,
    "engine_patience_seconds": 30,
    "orphan_grace_seconds": 2,
    "retry_pause_seconds": 0.3,
    "retry_pause_max_seconds": 3,
    "step_lease_seconds": 3,
    "step_renew_seconds": 0.5,
    "message_grace_seconds": 2,
    "reconcile_seconds": 1,
    "log_poll_seconds": 0.5,
    "stop_grace_seconds": STOP_GRACE_SECONDS,
    "restart_period_seconds": 0,
    "sweep_seconds": 2,
    "billing_seconds": 2,
}
# More than the faults of any drill: a job may meet many of them, and must survive them all.
LIMITS: dict[str, int] = {"platform_retries": 100, "push_retries": 1000}


class Part:
    """A process of the site, which its supervisor starts again when it ends."""

    def __init__(self, name: str, process: Aitrain) -> None:
        self.name, self._process = name, process
        # Held while somebody ends or starts it.
        self._lock = threading.RLock()

    @property
    def pid(self) -> int:
        """Its process id."""
        process = self._process.process
        if process is None:
            raise RuntimeError(f"{self.name} is not running")
        return process.pid

    def start(self) -> None:
        """Starts it."""
        with self._lock:
            self._process.start()

    def stop(self) -> None:
        """Ends it kindly."""
        with self._lock:
            self._process.stop()

    def replace(self) -> Aitrain:
        """Starts another process in its place; the former one, which runs on, for whoever ends it."""
        with self._lock:
            former = self._process
            self._process = former.another().start()
            return former

    @contextmanager
    def down(self, *, kindly: bool = False) -> Iterator[None]:
        """Ends it, and starts it again after the block."""
        with self._lock:
            self._process.stop() if kindly else self._process.kill()
            try:
                yield
            finally:
                self._process.start()

    def keep(self) -> int | None:
        """Starts it again if it has ended by itself; the status with which it did."""
        if not self._lock.acquire(blocking=False):
            return None
        try:
            process = self._process.process
            status = None if process is None else process.poll()
            if status is not None:
                self._process.start()
            return status
        finally:
            self._lock.release()


@dataclass(frozen=True)
class Host:
    """One host: its engine, its disk, its way to Redis, its two processes."""

    name: str
    engine: DockerEngine
    disk: SmallDisk
    link: Link
    worker: Part
    agent: Part


class DrillSite:
    """Everything a drill stands on. Use it as a context: what it started is ended and what it made is removed."""

    def __init__(self, directory: Path, variables: Mapping[str, str]) -> None:
        """directory: its own, for logs and data; variables: more of the environment of the site's processes."""
        self.directory = directory
        self._ending = ExitStack()
        self.redis = RedisServer(directory / "redis")
        self.s3 = S3Server(directory / "s3")
        self._variables = variables
        self._redis: Any = Redis.from_url(self.redis.url)
        self.hosts: dict[str, Host] = {}
        self.parts: list[Part] = []
        # Messages that a fault has taken so far, with their queues: they may come again, late.
        self.heard: dict[str, str] = {}

    def start(self, input_text: str) -> None:
        """Starts everything. input_text: what every job reads. Raises ServerFailed."""
        with ExitStack() as ending:
            for server in (self.redis, self.s3):
                ending.callback(server.stop)
                server.start()
            self._site = LocalSite(
                self.directory, redis_url=self.redis.url, s3=self.s3, variables=self._variables, namespace=NAMESPACE,
                flavors=FLAVORS, timing=TIMING, limits=LIMITS,
            )  # fmt: skip
            s3 = self.s3.client()
            s3.create_bucket(Bucket=BUCKET)
            s3.put_object(Bucket=BUCKET, Key=INPUT_KEY, Body=input_text.encode())
            for name in HOSTS:
                self.hosts[name] = self._host(name, ending)
            self.control = Part("control", self._site.control())
            self.beat = Part("beat", self._site.beat())
            self.parts = [part for host in self.hosts.values() for part in (host.worker, host.agent)]
            self.parts += [self.control, self.beat]
            for part in self.parts:
                ending.callback(part.stop)
                part.start()
            wait_until(self._is_up, START_SECONDS, lambda: "the site did not come up: --keep keeps its logs")
            self._ending = ending.pop_all()

    def stop(self) -> None:
        """Ends all of it."""
        self._ending.close()

    def client(self) -> Client:
        """A producer's client."""
        return self._site.client()

    def remove(self, *, keep_logs: bool) -> None:
        """Removes what it made; its logs too unless they are kept."""
        if not keep_logs:
            shutil.rmtree(self.directory, ignore_errors=True)
            return
        for host in self.hosts.values():
            shutil.rmtree(host.engine.data_root, ignore_errors=True)

    def _is_up(self) -> bool:
        """Both hosts have joined, and all three workers wait for messages."""
        joined = int(self._redis.zcard(Keys(NAMESPACE)("hosts")))
        return joined == len(HOSTS) and int(self._redis.info("clients")["blocked_clients"]) >= len(HOSTS) + 1

    def _host(self, name: str, ending: ExitStack) -> Host:
        engine = DockerEngine(self.directory / f"engine-{name}", live_restore=LIVE_RESTORE[name])
        ending.callback(engine.stop)
        engine.start()
        ensure_busybox(engine.url)
        disk = SmallDisk(self.directory / "disks" / name, DISK_MIB)
        ending.callback(disk.unmount)
        disk.mount()
        link = Link(self.redis.port)
        ending.callback(link.stop)
        link.start()
        units = {"cpu": CPUS_PER_HOST, "v100s": [f"GPU-{name}-{number}" for number in range(GPUS_PER_HOST)]}

        def part(role: str) -> Part:
            process = self._site.host(
                name, units, engine.url, role=role, redis_url=f"redis://127.0.0.1:{link.port}/0",
                data_dir=str(disk.path),
            )  # fmt: skip
            return Part(f"{role} of {name}", process)

        return Host(name, engine, disk, link, part("worker"), part("agent"))
