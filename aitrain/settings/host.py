"""The settings of a host."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, field_validator

from aitrain.domain.flavor import Slug
from aitrain.settings.section import DAY_SECONDS, AbsolutePath, Section


class HostSettings(Section):
    """What a host is and offers.

    name: stands in its queues' names, so it must not change while it has jobs; places_jobs: it runs placement passes
    that it finds due; if not, it asks control workers to; units: flavor -> number of units, or the ids of its GPUs;
    inventory: "declared": it offers `units`; "nvml": beside these, the GPUs that the NVIDIA driver lists, each as the
    flavor of its model; max_jobs: jobs it may hold at once, copies included (None: two per unit, at least four);
    worker_concurrency: steps at once (None: max_jobs); data_dir: where volumes lie; docker_url: of its Docker Engine;
    container_user: uid:gid of every container; ca_file: a PEM file of the authorities to trust instead of the
    system's, where git servers have certificates of a private one, and data stores, too, unless data_store_ca_file is
    given; git_max_mib: of one repository, unpacked; git_max_files: in one; container_log_files: so many rotated files
    of each container; registry_certs_dir: where the engine looks for certificates of registries, and the worker lays
    those that were given with a registry (None: it lays none); local_images: repositories, as patterns ("lab/*"), whose
    images are used as they lie on the host, without asking a registry.
    """

    name: Slug = "local"
    places_jobs: bool = True
    units: dict[Slug, int | list[str]] = Field(default_factory=dict)
    inventory: Literal["declared", "nvml"] = "declared"
    # A GPU that no job runs on and that has more memory in use is not clean. A driver keeps some for itself.
    gpu_idle_memory_mib: int = Field(default=256, ge=0)
    # Programs that may stay on a GPU beside a job, by the names of their files: a display server, say.
    gpu_tolerated_programs: tuple[str, ...] = ()
    max_jobs: Annotated[int, Field(ge=1)] | None = None
    worker_concurrency: Annotated[int, Field(ge=1)] | None = None
    data_dir: AbsolutePath = Path("/var/lib/aitrain")
    docker_url: str = "unix:///var/run/docker.sock"
    container_user: Annotated[str, Field(pattern=r"^\d+:\d+$")] = "42420:42420"
    # A fork bomb ends at this many processes; training with many data loaders stays far below.
    container_pids: int = Field(default=4096, ge=1)
    # The engine's network of jobs whose project's egress is "bridge". Left out: one of aitrain's own, in which they do
    # not reach each other; on the engine's "bridge" they would. "none": this host gives no job a network.
    container_network: str = ""
    # Kept free on the disk of data_dir when volumes are copied there: what running jobs write needs room, too.
    disk_reserve_mib: int = Field(default=1024, ge=0)
    # Rotation keeps a chatty job from filling the engine's disk; in so much an agent that is away for a minute loses
    # nothing of a job that writes 100 MiB in that minute.
    container_log_max_mib: int = Field(default=64, ge=1)
    container_log_files: int = Field(default=4, ge=2)
    # Pulls of images of tens of gigabytes over a slow link still fit.
    pull_timeout_seconds: float = Field(default=3600, gt=0)
    # Whether an image may be had is a short question: a registry that has not answered by then is away.
    registry_answer_seconds: float = Field(default=60, gt=0)
    registry_certs_dir: AbsolutePath | None = Path("/etc/docker/certs.d")
    local_images: tuple[str, ...] = ()
    # What a registry let anybody have is not asked after for so long: registries count such questions. An image that
    # was had with a password is asked after at each start.
    public_image_seconds: float = Field(default=DAY_SECONDS, ge=0)
    ca_file: AbsolutePath | None = None
    # A git volume: a large repository without its history over a slow link still fits; what is past the limits belongs
    # into a data store, and must not fill the disk that all jobs share.
    git_timeout_seconds: float = Field(default=1800, gt=0)
    git_max_mib: int = Field(default=10_240, ge=1)
    git_max_files: int = Field(default=500_000, ge=1)
    # Below 1 KiB a second for this long, a server is taken for hung.
    git_stall_seconds: int = Field(default=60, ge=1)
    # git holds large objects in memory while it unpacks them; this many MiB suffice for any repository of these limits.
    git_memory_mib: int = Field(default=2048, ge=256)
    # Commands run in jobs and questions about them at once. Each holds two threads and up to 512 KiB in Redis.
    max_exec_sessions: int = Field(default=32, ge=1)
    # An engine under load may take long over one create; past this it is broken.
    engine_timeout_seconds: float = Field(default=60, gt=0)

    @field_validator("units")
    @classmethod
    def _units(cls, units: dict[str, int | list[str]]) -> dict[str, int | list[str]]:
        for flavor, offered in units.items():
            if offered in (0, []) or (isinstance(offered, int) and offered < 0):
                raise ValueError(f"{flavor} has no unit: give a number above 0, or a list of GPU ids")
            if isinstance(offered, list) and (len(set(offered)) < len(offered) or "" in offered):
                raise ValueError(f"{flavor} has an empty id, or one twice: give each unit an id of its own")
        return units

    @property
    def unit_ids(self) -> dict[str, list[str]]:
        """The ids of the units, by flavor: those given, or a number counted from 0."""
        return {
            flavor: [str(number) for number in range(offered)] if isinstance(offered, int) else offered
            for flavor, offered in self.units.items()
        }

    def most_jobs(self, units: int) -> int:
        """max_jobs, or its default for so many units: a job that runs and one that is copied for each."""
        return self.max_jobs or max(4, 2 * units)
