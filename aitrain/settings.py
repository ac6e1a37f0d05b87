"""Settings: read once, from the environment (AITRAIN_...) and from a TOML file named by AITRAIN_CONFIG.

The environment wins over the file. Nested fields are joined by two underscores: AITRAIN_HOST__NAME=gpu-01. Every wait,
retry and limit stands here with its unit in its name.
"""

from __future__ import annotations

import os
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, ValidationError, field_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict, TomlConfigSettingsSource

from aitrain.domain.admission import Site
from aitrain.domain.billing import Policy
from aitrain.domain.egress import Egress
from aitrain.domain.errors import InvalidInput
from aitrain.domain.flavor import BUILT_IN, Flavor, Slug, catalogue_problem
from aitrain.domain.placement import Rules
from aitrain.domain.quota import OverQuota
from aitrain.domain.retry import Pauses
from aitrain.domain.spec import HIGHEST_PRIORITY, MAX_TIMEOUT_S, invalid_input
from aitrain.flower_settings import FlowerSettings
from aitrain.sections import DAY_SECONDS, Receipts, SecretSettings, Section, SharedRegistry
from aitrain.sections import DataStore as DataStore
from aitrain.sections import LogSettings as LogSettings

DEFAULT_TIMEOUT_SECONDS = 7 * DAY_SECONDS


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
    data_dir: Path = Path("/var/lib/aitrain")
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
    registry_certs_dir: Path | None = Path("/etc/docker/certs.d")
    local_images: tuple[str, ...] = ()
    # What a registry let anybody have is not asked after for so long: registries count such questions. An image that
    # was had with a password is asked after at each start.
    public_image_seconds: float = Field(default=DAY_SECONDS, ge=0)
    ca_file: Path | None = None
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

    @field_validator("data_dir", "ca_file", "registry_certs_dir")
    @classmethod
    def _absolute(cls, path: Path | None) -> Path | None:
        if path is not None and not path.is_absolute():
            raise ValueError("is not an absolute path: begin it with a slash")
        return path

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


class Timing(Section):
    """Waits and periods, in seconds."""

    # One call a second per host: an order is known within about a second, and a Redis carries a thousand hosts.
    heartbeat_seconds: float = Field(default=1, gt=0)
    # Longer than a restart of Redis takes, shorter than a person waits before asking.
    host_lease_seconds: float = Field(default=30, gt=0)
    # A worker that was killed is noticed after this; one that only stalls for less keeps its work.
    step_lease_seconds: float = Field(default=15, gt=0)
    # So often a worker renews the leases of its steps: several times may fail before one lapses.
    step_renew_seconds: float = Field(default=1, gt=0)
    # A command in a job ends when whoever started it was silent for this; a blip of the network is over by then.
    session_silence_seconds: float = Field(default=15, gt=3)
    # A message that was not taken up after this is sent again; taking it up twice does no harm.
    message_grace_seconds: float = Field(default=10, gt=0)
    # The agent compares the store with the engine this often, in case an event was missed.
    reconcile_seconds: float = Field(default=5, gt=0)
    # New lines of a log are sent to the job store this often at most: who follows it sees them within a second.
    log_poll_seconds: float = Field(default=0.5, gt=0)
    # The agent looks at the GPUs this often; 0: never, and none is set aside.
    gpu_look_seconds: float = Field(default=5, ge=0)
    # A job that ended may leave its GPU's memory in use for a moment. The next waits for so long, then goes elsewhere.
    gpu_clean_seconds: float = Field(default=10, ge=0)
    # From SIGTERM to SIGKILL: time to write a last checkpoint.
    stop_grace_seconds: float = Field(default=30, ge=0)
    # So often beat has the sweeps run, in case what they look for was missed by who should have seen it.
    sweep_seconds: float = Field(default=15, gt=0)
    # So often minutes that have begun are written to the ledger. How often changes no bill.
    billing_seconds: float = Field(default=60, gt=0)
    # A host that cannot reach the job store for this long stops its containers, so that their jobs may run elsewhere.
    # Longer than a Redis is away in a bad hour; the price of a lost host is that its jobs wait this long.
    host_grace_seconds: float = Field(default=600, gt=0)
    # After that, and the time a stop takes, the host is taken for lost; this covers what clocks and engines add.
    host_lost_margin_seconds: float = Field(default=60, ge=0)
    # A lost host may come back with the results that it had yet to push; after this they are given up for now.
    finalizing_patience_seconds: float = Field(default=86_400, gt=0)
    # An engine that is away for longer than a restart takes: jobs that it has not started are placed elsewhere.
    engine_patience_seconds: float = Field(default=600, gt=0)
    # A running container of a job that the store does not know is stopped after this; a store that was put back from a
    # backup by mistake should not cost what runs before somebody has noticed.
    orphan_grace_seconds: float = Field(default=300, ge=0)
    # Between retries: the first pause, doubled each time up to the longest.
    retry_pause_seconds: float = Field(default=10, ge=0)
    # An outage that lasts is asked after this often, and no less.
    retry_pause_max_seconds: float = Field(default=600, ge=0)
    # What no job has read from a host's cache for so long is removed; 0: only when the disk needs room.
    cache_idle_seconds: float = Field(default=7 * DAY_SECONDS, ge=0)
    # Auto-restarts of a job do not follow each other faster: each leaves its history and log.
    restart_period_seconds: float = Field(default=60, ge=0)
    # A data store that is to be added answers a check in 10 s at most; the rest is for a control worker that is busy.
    check_seconds: float = Field(default=20, gt=0)
    # A control worker answers a host that asks for a job's secrets at once; after this it is taken for away, and the
    # step is tried again as after any fault of the platform.
    secret_seconds: float = Field(default=30, gt=0)
    # A job that has waited this long has a host kept for it; until then smaller ones may pass it.
    placement_patience_seconds: float = Field(default=600, ge=0)
    # What a job needs beside its timeout, where it has to be gone by the time at which a kept host is expected to be
    # free: its data is copied before, and its container stopped after.
    backfill_margin_seconds: float = Field(default=300, ge=0)
    # What a project used so long ago counts half in its fair share: a busy day is forgotten within a week.
    fair_share_half_life_seconds: float = Field(default=DAY_SECONDS, gt=0)
    # So often a worker sends itself a message, to see that it takes messages. A thousand hosts make some 30 a second.
    canary_seconds: float = Field(default=30, gt=0)
    # A process that has not proved for so long that it gets work done is not well. Four canaries are lost by then, and
    # a connection that broke without a word has been given up by Celery and made anew (50 s).
    canary_stale_seconds: float = Field(default=120, gt=0)
    # A worker that takes no messages is ended so that it starts anew, but steps at work are given this long first: what
    # they have copied whole is kept, the rest is copied again.
    stuck_patience_seconds: float = Field(default=900, ge=0)
    # A loop of the agent that has not come round for so long hangs: the longest wait in one is an engine's answer.
    loop_patience_seconds: float = Field(default=300, gt=0)
    # A worker that is told to stop lets its steps go on for so long; then they give up, and the next one begins them
    # again. Starts of containers and small copies end within it, which is all that would be lost.
    worker_stop_seconds: float = Field(default=60, ge=0)
    # A placement pass without a look for this long is taken for dead, and another one may begin. Two at once do no
    # harm.
    placement_lease_seconds: float = Field(default=5, gt=0)

    @property
    def host_lost_seconds(self) -> float:
        """How long after its last heartbeat a host of these settings has surely stopped its containers."""
        return max(
            self.host_lease_seconds, self.host_grace_seconds + self.stop_grace_seconds + self.host_lost_margin_seconds
        )

    @property
    def pauses(self) -> Pauses:
        """Between retries."""
        return Pauses(self.retry_pause_seconds, self.retry_pause_max_seconds, self.restart_period_seconds)

    @property
    def placement(self) -> Rules:
        """Of placement."""
        return Rules(self.placement_patience_seconds, self.backfill_margin_seconds)


class BillingSettings(Section):
    """How runs are billed.

    policy: from when on, for attempts that are placed from now on.
    """

    policy: Policy = Policy.RUNNING
    # A month that is over for less is not pruned: long enough for questions about a bill, and for a year's accounts.
    ledger_retention_days: int = Field(default=400, ge=1)


class Limits(Section):
    """What one job may take."""

    # None: seven days, or none where max_timeout_seconds lifts the limit.
    default_timeout_seconds: int | None = Field(default=None, ge=0, le=MAX_TIMEOUT_S)
    # 0 lifts the limit: a job may then run until it is done or stopped.
    max_timeout_seconds: int = Field(default=28 * DAY_SECONDS, ge=0, le=MAX_TIMEOUT_S)
    # So long before its timeout a job is warned: time to write a checkpoint of some gigabytes.
    timeout_warning_seconds: int = Field(default=300, ge=0, le=MAX_TIMEOUT_S)
    # How often a job is tried again after faults of the platform: with the pauses of Timing, about five minutes.
    platform_retries: int = Field(default=5, ge=0)
    # How often results that could not be pushed are tried again: with the pauses of Timing, some twelve hours.
    push_retries: int = Field(default=75, ge=0)
    # Results that could not be pushed stay on their host for so long after the job ended, so that the push can be tried
    # again once somebody is back from leave; 0: for ever.
    results_retention_seconds: int = Field(default=30 * DAY_SECONDS, ge=0)
    # Of a job that names none; the middle leaves room on both sides.
    default_priority: int = Field(default=50, ge=0, le=HIGHEST_PRIORITY)
    # The highest that a job may have, unless its project has a limit of its own.
    max_priority: int = Field(default=HIGHEST_PRIORITY, ge=0, le=HIGHEST_PRIORITY)

    # What becomes of a job over its project's quota: refused, or accepted and held until there is room.
    over_quota: OverQuota = OverQuota.REFUSE
    # What jobs reach over the network, unless their project has a policy of its own (`aitrain quota set --egress`):
    # most training fetches packages or weights.
    egress: Egress = Egress.BRIDGE

    @property
    def default_timeout_s(self) -> int:
        """The timeout of a job that names none, in seconds; 0 for none."""
        if self.default_timeout_seconds is not None:
            return self.default_timeout_seconds
        return DEFAULT_TIMEOUT_SECONDS if self.max_timeout_seconds else 0


class LoggingSettings(Section):
    """Lines that the processes of the fleet write about themselves, on stderr.

    format: "console": for people; "json": one object a line, for programs; level: the least that is worth a line.
    """

    # What collects lines wants JSON, and whoever tries a site by hand does not: the units and the compose file say so,
    # and nothing is guessed from whether there is a terminal.
    format: Literal["console", "json"] = "console"
    level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"


class Settings(BaseSettings):
    """All settings of a process of aitrain.

    redis_url: the job store; broker_url: Celery's broker, the same server if not given; redis_ca_file,
    data_store_ca_file: PEM of the authorities to trust instead of the system's, of Redis with rediss:// and of data
    stores; namespace: prefix of every key in both, and the label that tells this site's containers from others';
    currency: of all prices, on bills; minor_unit: what a bill's total is rounded to, half up; flavors: the catalogue,
    which every process of a site needs; data_stores: of the whole site, by alias.
    """

    model_config = SettingsConfigDict(
        env_prefix="AITRAIN_", env_nested_delimiter="__", frozen=True, extra="forbid", hide_input_in_errors=True
    )

    redis_url: str = Field(default="redis://127.0.0.1:6379/0", repr=False)
    broker_url: str | None = Field(default=None, repr=False)
    redis_ca_file: Path | None = None
    data_store_ca_file: Path | None = None
    namespace: Slug = "aitrain"
    currency: str = "EUR"
    minor_unit: Decimal = Field(default=Decimal("0.01"), gt=0, allow_inf_nan=False)
    flavors: dict[Slug, Flavor] = Field(default_factory=lambda: dict(BUILT_IN))
    data_stores: dict[str, DataStore] = Field(default_factory=dict)
    secrets: SecretSettings = SecretSettings()
    shared_registry: SharedRegistry = SharedRegistry()
    host: HostSettings = HostSettings()
    timing: Timing = Timing()
    limits: Limits = Limits()
    receipts: Receipts = Receipts()
    logs: LogSettings = LogSettings()
    logging: LoggingSettings = LoggingSettings()
    billing: BillingSettings = BillingSettings()
    flower: FlowerSettings = FlowerSettings()

    @field_validator("flavors")
    @classmethod
    def _flavors(cls, flavors: dict[str, Flavor]) -> dict[str, Flavor]:
        if problem := catalogue_problem(flavors):
            raise ValueError(problem)
        return flavors

    @classmethod
    def settings_customise_sources(
        cls, settings_cls: type[BaseSettings], *sources: PydanticBaseSettingsSource, **named: PydanticBaseSettingsSource
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """The environment first, then the file."""
        path = os.environ.get("AITRAIN_CONFIG")
        file = (TomlConfigSettingsSource(settings_cls, Path(path)),) if path else ()
        return (named["init_settings"], named["env_settings"], *file)

    @property
    def ca_of_data_stores(self) -> Path | None:
        """The authorities to trust, of data stores; None: the system's."""
        return self.data_store_ca_file or self.host.ca_file

    @property
    def site(self) -> Site:
        """What admission needs to know."""
        return Site(
            flavors=self.flavors,
            data_stores=tuple(self.data_stores),
            shared_registry=self.shared_registry.paths,
            default_timeout_s=self.limits.default_timeout_s,
            max_timeout_s=self.limits.max_timeout_seconds,
            platform_retries=self.limits.platform_retries,
            warning_s=self.limits.timeout_warning_seconds,
            default_priority=self.limits.default_priority,
            max_priority=self.limits.max_priority,
        )


# What earlier versions had; a site that still gives it believes its secrets to be kept in a way that is no more.
GONE_VARIABLE = "AITRAIN_ENCRYPTION_KEYS"


def _gone() -> InvalidInput:
    return InvalidInput.of(
        "encryption_keys", "", "is no setting any more: only control workers have keys, in a file",
        "remove it; make a file with `aitrain secret new-key FILE`, name it as key_file in [secrets] of control "
        "workers, and add the projects' data stores again",
    )  # fmt: skip


def load_settings(**overrides: Any) -> Settings:
    """Reads the settings.

    Raises InvalidInput, which names each wrong setting, and never repeats a secret.
    """
    path = os.environ.get("AITRAIN_CONFIG")
    if path and not Path(path).is_file():
        raise InvalidInput.of("AITRAIN_CONFIG", path, "is not a file", "name a TOML file, or unset it")
    try:
        if GONE_VARIABLE in os.environ:
            raise _gone()
        return Settings(**overrides)
    except ValidationError as error:
        if any(item["loc"] == ("encryption_keys",) for item in error.errors(include_input=False)):
            raise _gone() from None
        raise invalid_input(error) from None
    except ValueError as error:  # tomllib and pydantic-settings tell a file or a variable that cannot be parsed so
        raise InvalidInput.of("settings", path or "", f"cannot be read ({error})", "correct it") from None
