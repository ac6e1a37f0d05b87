"""The Docker Engine of a host, through the docker SDK."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import docker
from docker.errors import APIError, ImageNotFound, NotFound
from docker.types import DeviceRequest, LogConfig

from aitrain.domain.egress import Egress
from aitrain.domain.errors import PlatformFault, UserFault
from aitrain.domain.states import EndCause, InfoCode
from aitrain.settings import HostSettings
from workers.runtime.access import GetAccess
from workers.runtime.container import Container, ContainerSpec, Ending, Labels, container_name, digest_of
from workers.runtime.execs import Exec, end_exec
from workers.runtime.faults import EngineUnavailable, ImageAbsent, engine_errors, explanation, start_fault
from workers.runtime.images import Images
from workers.runtime.inspection import CDI_GPU, has_cdi_gpus
from workers.runtime.loglines import log_lines
from workers.runtime.networks import ensure_network

log = logging.getLogger(__name__)

CONFLICT = 409
# Exit code of a process that SIGKILL ended, as the kernel does when memory runs out.
KILLED = 137
LATE_NOTICE_SECONDS = 0.2
# Devices of the whole machine that NVIDIA's runtime adds for whoever asks by these: the fabric between GPUs, memory of
# other machines' GPUs, and network adapters.
NO_SHARED_DEVICES = {
    "NVIDIA_IMEX_CHANNELS": "void", "NVIDIA_NVSWITCH": "disabled", "NVIDIA_GDS": "disabled",
    "NVIDIA_MOFED": "disabled", "NVIDIA_GDRCOPY": "disabled",
}  # fmt: skip
# The name of an image changes its meaning when somebody pulls it just then; not again and again.
PREPARE_TRIES = 3
# How many events an engine remembers (moby, daemon/events: eventsLimit).
EVENTS_KEPT = 256
SIGKILL, SIGTERM = "9", "15"
STOP_SIGNAL = "SIGTERM"
# A SIGTERM explains an end that follows within this; the engine's own patience is 10 s.
TERM_EXPLAINS_MS = 30_000


class Engine:
    """One engine. Each thread that uses it gets a connection of its own, since the SDK's are not safe to share.

    Every method raises EngineUnavailable if the engine does not answer, and PlatformFault if it fails.
    """

    def __init__(self, settings: HostSettings, namespace: str) -> None:
        """namespace: of the site. Containers of other sites and hosts on the same engine are never seen."""
        self._settings, self._namespace = settings, namespace
        self._ours = {Labels.SITE: namespace, Labels.HOST: settings.name}
        self._filter = [f"{label}={value}" for label, value in self._ours.items()]
        self._local = threading.local()
        self._known: dict[str, Any] | None = None
        self.images = Images(settings, lambda: self._docker)

    @property
    def _docker(self) -> docker.DockerClient:
        client = getattr(self._local, "client", None)
        if client is None:
            with engine_errors("answer"):
                client = self._local.client = docker.DockerClient(
                    base_url=self._settings.docker_url, timeout=int(self._settings.engine_timeout_seconds)
                )
        return client

    def prepare(
        self,
        spec: ContainerSpec,
        access: GetAccess,
        checkpoint: Callable[[], None],
        ready: Callable[[], None] = lambda: None,
    ) -> Container:
        """Creates a container of an image that its project may use, pulling it if it is absent: see Images.obtain.

        access: with whose right, asked for where a registry is; ready: called just before it is created; what it raises
        keeps it from being so.
        """
        for _ in range(PREPARE_TRIES):
            image_id = self.images.obtain(spec.image, access, checkpoint)
            ready()
            container = self.create(spec)
            made = container if container.image_id else self.find(container.id)
            if made is not None and (made.image_id == image_id or made.started_ms is not None):
                return made
            # Its name has come to mean another image meanwhile, which its project may not have.
            self.remove(container)
        raise PlatformFault(
            EndCause.ENGINE_FAULT, InfoCode.JOB_IMAGE_PULL, f"image {spec.image!r} is another one each time it is used"
        )

    def create(self, spec: ContainerSpec) -> Container:
        """Creates a container; one that an earlier try for the same run created is found again.

        Raises ImageAbsent if the engine does not have its image, and UserFault if it refuses its configuration.
        """
        api = self._docker.api
        with engine_errors("create the container"):
            try:
                created = api.create_container(
                    spec.image,
                    command=list(spec.command) or None,
                    name=spec.name,
                    user=self._settings.container_user,
                    environment={**spec.env, **self._gpu_env(spec)},
                    labels={**spec.labels, **self._ours},
                    host_config=self._host_config(spec),
                    # What an image says of these does not hold: every job is told to stop as the documents say, and
                    # nobody asks whether a job is healthy, so nothing is run in it for that.
                    stop_signal=STOP_SIGNAL,
                    healthcheck={"test": ["NONE"]},
                )["Id"]
            except ImageNotFound as error:
                raise ImageAbsent(
                    EndCause.ENGINE_FAULT, InfoCode.JOB_IMAGE_PULL, f"image {spec.image!r} is not there: it was removed"
                ) from error
            except APIError as error:
                if error.status_code != CONFLICT:
                    if error.is_client_error():
                        raise UserFault(
                            EndCause.START_REFUSED,
                            InfoCode.JOB_CREATE_CONTAINER_CONFIG_ERROR,
                            f"the engine refused the container: {explanation(error)}",
                        ) from error
                    raise
                container = Container.of(api.inspect_container(spec.name))
            else:
                return Container.created(created, spec)
        if container.fence == spec.labels[Labels.FENCE]:
            return container
        # A leftover of a store that lost its last second: the same attempt's number under another fence.
        self.remove(container)
        return self.create(spec)

    def start(self, container: Container, command: tuple[str, ...]) -> Container:
        """Starts a container that has never run, and returns it as it is then; one that has run is left as it is.

        Raises UserFault if its command cannot be started.
        """
        with engine_errors("start the container"):
            # The engine would run an exited container a second time.
            if container.started_ms is None:
                try:
                    self._docker.api.start(container.id)
                except APIError as error:
                    raise start_fault(command, error) from error
            return Container.of(self._docker.api.inspect_container(container.id))

    def find(self, container_id: str) -> Container | None:
        """A container by id or name, if the engine has it."""
        with engine_errors("inspect the container"):
            try:
                return Container.of(self._docker.api.inspect_container(container_id))
            except NotFound:
                return None

    def containers(self) -> list[Container]:
        """Every container of this host that the engine has, running or not."""
        with engine_errors("list containers"):
            listed = self._docker.api.containers(all=True, filters={"label": self._filter})
        return [container for item in listed if (container := self._find_if_sound(item["Id"])) is not None]

    def _find_if_sound(self, container_id: str) -> Container | None:
        """One container whose record the engine has spoilt must not hide the others."""
        try:
            return self.find(container_id)
        except PlatformFault as fault:
            log.warning("container %s is left out: %s", container_id, fault)
            return None

    def live_restore(self) -> bool:
        """Whether its containers outlive it, when it goes down."""
        return bool(self._info().get("LiveRestoreEnabled"))

    def ending(self, container: Container) -> Ending:
        """What the engine remembers of a container's end. It remembers the last 256 events since its own start."""
        api: Any = self._docker.api  # its types know whole seconds only
        # The kernel's notice that memory ran out may come after the exit, and the engine's flag then stays unset.
        # Events end at `until`, so this waits no longer than that.
        late_s = LATE_NOTICE_SECONDS if container.exit_code == KILLED and not container.out_of_memory else 0
        since, until = (container.started_ms or 0) // 1000, f"{time.time() + late_s:.6f}"
        filters = {"container": container.id, "event": ["kill", "die", "oom"]}
        with engine_errors("tell its events"):
            of_container = list(api.events(since=since, until=until, filters=filters, decode=True))
            if not any(event["Action"] == "die" for event in of_container):
                everything = list(api.events(since=1, until=until, decode=True))
                forgot = len(everything) >= EVENTS_KEPT and _at_ms(everything[0]) > (container.finished_ms or 0)
                return Ending.OWN if forgot else Ending.UNSEEN
        if _killed(of_container):
            return Ending.IMPOSED
        out_of_memory = container.out_of_memory or any(event["Action"] == "oom" for event in of_container)
        return Ending.OUT_OF_MEMORY if out_of_memory else Ending.OWN

    def signal(self, container: Container, name: str) -> None:
        """Sends a signal to a container's command. Does nothing if it has ended."""
        with engine_errors("send a signal"):
            try:
                self._docker.api.kill(container.id, name)
            except NotFound:
                return
            except APIError as error:
                if error.status_code != CONFLICT:
                    raise

    def stop(self, container: Container, grace_seconds: float) -> None:
        """SIGTERM, a grace period, SIGKILL. Does nothing if it has ended."""
        with engine_errors("stop the container"):
            try:
                self._docker.api.stop(container.id, timeout=max(0, round(grace_seconds)))
            except NotFound:
                return

    def remove(self, container: Container) -> None:
        """Removes a container, killing it if it runs. Does nothing if it is gone or going."""
        with engine_errors("remove the container"):
            try:
                self._docker.api.remove_container(container.id, force=True, v=True)
            except NotFound:
                return
            except APIError as error:
                if error.status_code != CONFLICT:
                    raise

    def image_digest(self, container: Container) -> str:
        """By which digest its registry knows the image of a container, "" if it has none, or it cannot be told."""
        try:
            with engine_errors("describe an image"):
                digests = self._docker.images.get(container.image_id).attrs.get("RepoDigests") or []
        except (PlatformFault, EngineUnavailable) as fault:  # it runs all the same
            log.warning("the digest of %s is not known: %s", container.image, fault)
            return ""
        return digest_of(container.image, digests)

    def of_attempt(self, job_id: str, attempt: int, fence: str) -> Container | None:
        """An attempt's container, if the engine has it."""
        container = self.find(container_name(job_id, attempt))
        return container if container is not None and container.fence == fence else None

    def command_in(
        self, container: Container, command: Sequence[str], env: Mapping[str, str], *, tty: bool, stdin: bool
    ) -> Exec:
        """A command to be started in a container, as the user of the container's own."""
        url = self._settings.docker_url
        return Exec(self._docker.api, url, container, command, env, tty=tty, stdin=stdin)

    def end_command(self, exec_id: str) -> bool:
        """Ends a command that was started in a container, if it is not over: whether it was."""
        return end_exec(self._docker.api, exec_id)

    def usage(self, container: Container) -> tuple[dict[str, Any], float | None]:
        """What a running container uses, in the engine's own form, and of how many processors (None: no limit)."""
        with engine_errors("tell what the container uses"):
            api: Any = self._docker.api
            limit = api.inspect_container(container.id)["HostConfig"].get("NanoCpus") or 0
            return api.stats(container.id, stream=False), limit / 1e9 or None

    def log(self, container: Container, since: str = "", idle_seconds: float | None = None) -> Iterator[list[bytes]]:
        """The lines that a container wrote at `since` (RFC 3339, nanoseconds) or later, in the engine's order, as many
        at a time as have come; each as raw_line makes it.

        idle_seconds: also those that it is going to write, until none has come for so long, or it has ended; None: only
        those that are there.
        """
        with engine_errors("read the log"):
            yield from log_lines(self._docker.api, container.id, since, idle_seconds)

    def deaths(self) -> Iterator[str]:
        """Ids of this host's containers as they end, until the engine breaks off or interrupt_deaths is called."""
        self._known = None  # it may be another engine than before
        filters = {"type": "container", "event": "die", "label": self._filter}
        with engine_errors("tell its events"):
            events: Any = self._docker.events(filters=filters, decode=True)
            self._events = events
            for event in events:
                yield event["id"]

    def interrupt_deaths(self) -> None:
        """Ends the listening of another thread."""
        events = getattr(self, "_events", None)
        if events is not None:
            events.close()

    def _host_config(self, spec: ContainerSpec) -> Any:
        settings = self._settings
        gpus: dict[str, Any] = {}
        if spec.gpu_ids and self._has_gpu_runtime():
            gpus = {"runtime": "nvidia"}
        elif spec.gpu_ids and has_cdi_gpus(self._info()):
            names = [f"{CDI_GPU}{unit}" for unit in spec.gpu_ids]
            gpus = {"device_requests": [DeviceRequest(driver="cdi", device_ids=names)]}
        elif spec.gpu_ids:
            gpus = {"device_requests": [DeviceRequest(device_ids=list(spec.gpu_ids), capabilities=[["gpu"]])]}
        return self._docker.api.create_host_config(
            binds=[f"{m.source}:{m.target}:{'ro' if m.read_only else 'rw'}" for m in spec.mounts],
            nano_cpus=int(spec.cpus * 10**9) if self._limits_cpus(spec) else None,
            mem_limit=spec.memory_bytes,
            memswap_limit=spec.memory_bytes,
            shm_size=spec.shm_bytes,
            pids_limit=settings.container_pids,
            init=True,
            cap_drop=["ALL"],
            security_opt=["no-new-privileges:true"],
            restart_policy={"Name": "no"},
            network_mode=self._network(spec.egress),
            log_config=LogConfig(
                type=LogConfig.types.JSON,
                config={
                    "max-size": f"{settings.container_log_max_mib}m", "max-file": str(settings.container_log_files)
                },
            ),
            **gpus,
        )  # fmt: skip

    def _network(self, egress: Egress) -> str:
        """The network of a container. What the host does not have, no policy of a project gives."""
        if egress is Egress.NONE:
            return "none"
        return self._settings.container_network or ensure_network(self._docker, self._namespace)

    def _limits_cpus(self, spec: ContainerSpec) -> bool:
        # An engine refuses more processors than its machine has. There the machine itself is the limit.
        return spec.cpus <= self._processors()

    def _processors(self) -> int:
        return int(self._info()["NCPU"])

    def _has_gpu_runtime(self) -> bool:
        return "nvidia" in self._info()["Runtimes"]

    def _info(self) -> dict[str, Any]:
        known = self._known  # another thread may forget it meanwhile
        if known is None:
            with engine_errors("describe itself"):
                known = self._known = self._docker.info()
        return known

    def _gpu_env(self, spec: ContainerSpec) -> dict[str, str]:
        # Set for every job: it or its image may ask for all GPUs by a variable, and gets those reserved, or none.
        return {"NVIDIA_VISIBLE_DEVICES": ",".join(spec.gpu_ids) or "void", **NO_SHARED_DEVICES}


def _at_ms(event: dict[str, Any]) -> int:
    return int(event["timeNano"]) // 10**6


def _killed(events: list[dict[str, Any]]) -> bool:
    """Whether somebody's signal ended the container: SIGKILL, or SIGTERM shortly before its end."""
    died_ms = next(_at_ms(event) for event in events if event["Action"] == "die")
    for event in events:
        signal = event["Actor"]["Attributes"].get("signal") if event["Action"] == "kill" else None
        if signal == SIGKILL or (signal == SIGTERM and died_ms - _at_ms(event) < TERM_EXPLAINS_MS):
            return True
    return False
