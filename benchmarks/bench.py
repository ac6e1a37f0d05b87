"""What the benchmarks share: a site, the same containers by hand, and figures in one form."""

from __future__ import annotations

import statistics
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

from aitrain.domain.flavor import BUILT_IN
from aitrain.settings import HostSettings
from workers.runtime import ContainerSpec, Engine, Labels, container_name
from workers.scratch.images import BUSYBOX_IMAGE
from workers.scratch.servers import DockerEngine, RedisServer, S3Server, wait_until
from workers.scratch.site import LocalSite


@dataclass
class Bench:
    """Servers, and a place for a site. rounds: of what takes long; scale: of the fleet, 1 for its whole size."""

    directory: Path
    engine: DockerEngine
    redis: RedisServer
    s3: S3Server
    rounds: int = 3
    scale: float = 1.0

    def site(self, **settings: Any) -> LocalSite:
        """A site of its own."""
        self.directory.mkdir(parents=True, exist_ok=True)
        namespace = f"bench-{uuid.uuid4().hex[:8]}"
        return LocalSite(self.directory, redis_url=self.redis.url, s3=self.s3, namespace=namespace, **settings)

    def bare_engine(self) -> Engine:
        """The engine with nothing above it but the SDK."""
        return Engine(HostSettings(docker_url=self.engine.url, container_network="none"), "bare")

    def wait_until_idle(self, site: LocalSite) -> None:
        """Waits until the engine has no container of a site any more."""
        engine = Engine(HostSettings(docker_url=self.engine.url), site.settings.namespace)
        wait_until(lambda: not engine.containers(), 30, lambda: "a container was left")

    def same_container(self) -> ContainerSpec:
        """What a job of one CPU that runs `true` becomes."""
        job_id, flavor = str(uuid.uuid4()), BUILT_IN["cpu"]
        return ContainerSpec(
            name=container_name(job_id, 1),
            image=BUSYBOX_IMAGE,
            command=("true",),
            labels={Labels.JOB: job_id, Labels.ATTEMPT: "1", Labels.FENCE: "1.bare", Labels.PROJECT: "default"},
            cpus=flavor.cpu,
            memory_gib=flavor.memory_gib,
            shm_gib=flavor.shm_gib,
            env={"AITRAIN_JOB_ID": job_id, "AITRAIN_ATTEMPT": "1", "AITRAIN_UNITS": str(Decimal(1))},
        )


def figures(name: str, values: Sequence[float], unit: str) -> None:
    """Prints the median and the spread of what was measured."""
    ordered = sorted(values)
    print(
        f"  {name:<44} median {statistics.median(ordered):9.2f} {unit}   min {ordered[0]:9.2f}   max {ordered[-1]:9.2f}"
        f"   n={len(ordered)}"
    )


def spread(name: str, values: Sequence[float], unit: str) -> None:
    """Prints how most values are, and the worst of a hundred."""
    ordered = sorted(values)
    p50, p99 = (ordered[min(len(ordered) - 1, int(len(ordered) * part))] for part in (0.5, 0.99))
    print(f"  {name:<52} p50 {p50:8.2f} {unit}   p99 {p99:8.2f} {unit}   n={len(ordered)}")
