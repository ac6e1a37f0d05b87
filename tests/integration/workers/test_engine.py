"""The runtime against a real engine."""

from __future__ import annotations

import os
import signal
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import docker
import pytest

from aitrain.domain.errors import PlatformFault, StepCancelled, UserFault
from aitrain.domain.logs import LogLine, parse_line
from aitrain.domain.states import EndCause, InfoCode
from aitrain.settings import HostSettings
from workers.runtime import Container, ContainerSpec, Ending, Engine, ImageAccess, Labels, Mount, container_name
from workers.runtime.faults import EngineUnavailable, ImageAbsent
from workers.scratch.images import BUSYBOX_IMAGE
from workers.scratch.registry import Registry
from workers.scratch.servers import DockerEngine, free_port

Make = Callable[..., ContainerSpec]


def no_checkpoint() -> None:
    return


def nobody() -> ImageAccess:
    return ImageAccess("red")


@pytest.fixture
def runtime(engine: DockerEngine, namespace: str) -> Iterator[Engine]:
    runtime = Engine(HostSettings(docker_url=engine.url, container_network="none"), namespace)
    yield runtime
    for container in runtime.containers():
        runtime.remove(container)


@pytest.fixture
def raw(engine: DockerEngine) -> docker.DockerClient:
    return docker.DockerClient(base_url=engine.url)


def spec(*command: str, fence: str = "1.abc", job_id: str | None = None, **more: Any) -> ContainerSpec:
    job_id = job_id or str(uuid.uuid4())
    labels = {Labels.JOB: job_id, Labels.FENCE: fence, Labels.ATTEMPT: "1", Labels.PROJECT: "red"}
    values: dict[str, Any] = {
        "name": container_name(job_id, 1), "image": BUSYBOX_IMAGE, "command": command, "labels": labels,
        "cpus": Decimal("0.5"), "memory_gib": Decimal("0.0625"), "shm_gib": Decimal("0.0625"), **more,
    }  # fmt: skip
    return ContainerSpec(**values)


def run(runtime: Engine, wanted: ContainerSpec) -> Container:
    container = runtime.start(runtime.create(wanted), wanted.command)
    deadline = time.monotonic() + 20
    while container.running:
        assert time.monotonic() < deadline, "the container did not end"
        found = runtime.find(container.id)
        assert found is not None
        container = found
    return container


def written(runtime: Engine, container: Container) -> list[LogLine]:
    return [parse_line(line.decode()) for lines in runtime.log(container) for line in lines]


def test_a_container_runs_once_and_tells_its_end(runtime: Engine) -> None:
    wanted = spec("sh", "-c", "echo one; echo two >&2; exit 3")
    ended = run(runtime, wanted)
    assert (ended.exited, ended.exit_code, ended.out_of_memory) == (True, 3, False)
    assert ended.started_ms is not None
    assert ended.finished_ms is not None
    assert abs(ended.finished_ms - time.time() * 1000) < 60_000
    # The engine may stamp the end of a container that ends at once before its start.
    assert ended.finished_ms >= ended.started_ms - 100
    again = runtime.start(runtime.create(wanted), wanted.command)
    assert runtime.image_digest(ended) == "", "it came from no registry"
    assert runtime.image_digest(replace(ended, image_id="sha256:gone")) == "", "that it is not known ends no job"
    assert again == ended, "a second create finds the first, and an ended one is not run again"
    assert sorted(line.text for line in written(runtime, ended)) == ["one", "two"]


def test_another_fence_under_the_same_name_is_replaced(runtime: Engine) -> None:
    first = runtime.create(spec("sleep", "60", job_id="j", fence="1.old"))
    runtime.start(first, ())
    second = runtime.create(spec("true", job_id="j", fence="1.new"))
    assert second.id != first.id
    assert runtime.find(first.id) is None


def test_a_command_that_does_not_exist(runtime: Engine) -> None:
    ended = run(runtime, spec("no-such-program"))
    assert ended.exit_code == 127
    assert "no-such-program" in written(runtime, ended)[0].text


def test_a_container_that_cannot_be_started(runtime: Engine, tmp_path: Path) -> None:
    wanted = spec("true", mounts=(Mount(tmp_path, "/bin/busybox", read_only=True),))
    with pytest.raises(UserFault, match="could not be started") as caught:
        runtime.start(runtime.create(wanted), wanted.command)
    assert caught.value.code is InfoCode.JOB_CREATE_CONTAINER_ERROR
    left = runtime.containers()
    assert [container.exited for container in left] == [False], "it has an exit code, but it never ran"


def test_out_of_memory_is_recognized(runtime: Engine) -> None:
    ended = run(runtime, spec("dd", "if=/dev/zero", "of=/dev/null", "bs=300M", "count=1"))
    assert ended.out_of_memory
    # The engine's events say it too, for when its flag was set too early.
    assert runtime.ending(replace(ended, out_of_memory=False)) is Ending.OUT_OF_MEMORY
    assert ended.exit_code == 137


def test_the_job_is_shut_in(runtime: Engine, raw: docker.DockerClient) -> None:
    command = "id -u; id -g; grep -E 'CapEff|NoNewPrivs' /proc/self/status; echo $A $NVIDIA_VISIBLE_DEVICES"
    wanted = spec("sh", "-c", command, env={"A": "b"})
    ended = run(runtime, wanted)
    said = "\n".join(line.text for line in written(runtime, ended)).split()
    assert said == ["42420", "42420", "CapEff:", "0000000000000000", "NoNewPrivs:", "1", "b", "void"]
    config = raw.api.inspect_container(ended.id)["HostConfig"]
    assert config["RestartPolicy"]["Name"] == "no"
    assert config["Init"] is True
    assert config["PidsLimit"] == 4096
    assert config["Memory"] == config["MemorySwap"] == 64 * 1024**2
    assert config["ShmSize"] == 64 * 1024**2
    assert config["NanoCpus"] == 500_000_000
    assert config["LogConfig"]["Config"] == {"max-size": "64m", "max-file": "4"}
    assert not config["Privileged"]


def test_volumes_are_mounted_as_asked(runtime: Engine, tmp_path: Path) -> None:
    for name in ("in", "out"):
        (tmp_path / name).mkdir()
        (tmp_path / name).chmod(0o777)
    mounts = (Mount(tmp_path / "in", "/in", read_only=True), Mount(tmp_path / "out", "/out", read_only=False))
    ended = run(runtime, spec("sh", "-c", "touch /out/made; touch /in/made", mounts=mounts))
    assert ended.exit_code == 1
    assert (tmp_path / "out" / "made").exists()
    assert not (tmp_path / "in" / "made").exists()


def test_the_nvidia_runtime_gets_exactly_the_reserved_ids(runtime: Engine, raw: docker.DockerClient) -> None:
    ended = run(runtime, spec("sh", "-c", "echo $NVIDIA_VISIBLE_DEVICES", gpu_ids=("GPU-a", "GPU-c"),
                              env={"NVIDIA_VISIBLE_DEVICES": "all"}))  # fmt: skip
    assert [line.text for line in written(runtime, ended)] == ["GPU-a,GPU-c"]
    assert raw.api.inspect_container(ended.id)["HostConfig"]["Runtime"] == "nvidia"


@pytest.fixture
def greedy_image(raw: docker.DockerClient) -> str:
    """An image that asks for every GPU by its own variables."""
    container = raw.api.create_container(BUSYBOX_IMAGE, "true")["Id"]
    changes = [
        "ENV NVIDIA_VISIBLE_DEVICES=all",
        "ENV CUDA_VISIBLE_DEVICES=0,1,2,3",
        "ENV NVIDIA_DRIVER_CAPABILITIES=all",
    ]
    raw.api.commit(container, repository="aitrain-local/greedy", tag="1", changes=changes)
    raw.api.remove_container(container)
    return "aitrain-local/greedy:1"


@pytest.mark.parametrize(("gpu_ids", "seen"), [(("GPU-b",), "GPU-b"), ((), "void")])
@pytest.mark.parametrize("env", [{}, {"NVIDIA_VISIBLE_DEVICES": "all", "CUDA_VISIBLE_DEVICES": "0,1"}])
def test_neither_an_image_nor_a_job_can_ask_for_more_gpus(
    runtime: Engine, greedy_image: str, env: dict[str, str], gpu_ids: tuple[str, ...], seen: str
) -> None:
    ended = run(runtime, spec("sh", "-c", "echo $NVIDIA_VISIBLE_DEVICES", image=greedy_image, env=env, gpu_ids=gpu_ids))
    assert [line.text for line in written(runtime, ended)] == [seen]


NO_REQUEST: dict[str, Any] = {"Driver": "", "Count": 0, "DeviceIDs": None, "Capabilities": [], "Options": {}}


@pytest.mark.parametrize(
    ("info", "request_of_it"),
    [
        ({}, {"DeviceIDs": ["GPU-a", "GPU-c"], "Capabilities": [["gpu"]]}),
        (
            {"DiscoveredDevices": [{"Source": "cdi", "ID": "nvidia.com/gpu=GPU-a"}]},
            {"Driver": "cdi", "DeviceIDs": ["nvidia.com/gpu=GPU-a", "nvidia.com/gpu=GPU-c"]},
        ),
    ],
)
def test_an_engine_without_the_runtime_is_asked_for_exactly_the_reserved_devices(
    engine: DockerEngine, namespace: str, raw: docker.DockerClient, info: dict[str, Any], request_of_it: dict[str, Any]
) -> None:
    class Without(Engine):
        """This engine, as if it had no runtime for GPUs."""

        def _info(self) -> dict[str, Any]:
            return {**super()._info(), "Runtimes": {"runc": {}}, **info}

    runtime = Without(HostSettings(docker_url=engine.url, container_network="none"), namespace)
    made = [runtime.create(spec("true", gpu_ids=ids)) for ids in (("GPU-a", "GPU-c"), ())]
    with_gpus, without = (raw.api.inspect_container(container.id) for container in made)
    for container in made:
        runtime.remove(container)
    assert with_gpus["HostConfig"]["DeviceRequests"] == [{**NO_REQUEST, **request_of_it}]
    assert with_gpus["HostConfig"]["Runtime"] != "nvidia"
    assert "NVIDIA_VISIBLE_DEVICES=GPU-a,GPU-c" in with_gpus["Config"]["Env"]
    assert not without["HostConfig"]["DeviceRequests"]
    assert "NVIDIA_VISIBLE_DEVICES=void" in without["Config"]["Env"]


def test_a_container_is_not_made_before_all_is_ready(runtime: Engine) -> None:
    def not_ready() -> None:
        raise PlatformFault(EndCause.GPU_FAULT, InfoCode.JOB_ERROR, "not clean")

    with pytest.raises(PlatformFault, match="not clean"):
        runtime.prepare(spec("true"), nobody, no_checkpoint, ready=not_ready)
    assert runtime.containers() == []


def test_stop_is_kind_first(runtime: Engine) -> None:
    polite = spec("sh", "-c", "trap 'echo bye; exit 0' TERM; while true; do sleep 0.1; done")
    container = runtime.start(runtime.create(polite), ())
    deadline = time.monotonic() + 10
    while not list(runtime.log(container)) and time.monotonic() < deadline:
        runtime.stop(container, 5)
    found = runtime.find(container.id)
    assert found is not None
    assert found.exit_code in (0, 143)
    stubborn = runtime.start(runtime.create(spec("sh", "-c", "trap '' TERM; while true; do sleep 0.1; done")), ())
    began = time.monotonic()
    runtime.stop(stubborn, 1)
    killed = runtime.find(stubborn.id)
    assert killed is not None
    assert killed.exit_code in (137, 143)
    assert not killed.out_of_memory
    assert time.monotonic() - began < 15


def test_gone_is_as_good_as_removed_and_stopped(runtime: Engine) -> None:
    container = runtime.create(spec("true"))
    runtime.remove(container)
    runtime.remove(container)
    runtime.stop(container, 0)
    assert runtime.find(container.id) is None
    assert list(runtime.log(container)) == []


def test_other_sites_are_not_seen(runtime: Engine, engine: DockerEngine) -> None:
    other = Engine(HostSettings(docker_url=engine.url, container_network="none"), "another-site")
    container = other.create(spec("true"))
    assert runtime.containers() == []
    other.remove(container)


def test_an_image_is_pulled_when_it_is_absent(runtime: Engine, raw: docker.DockerClient, registry: Registry) -> None:
    name = f"{registry.address}/team/tool:1.2"
    raw.images.get(BUSYBOX_IMAGE).tag(f"{registry.address}/team/tool", "1.2")
    raw.images.push(f"{registry.address}/team/tool", "1.2")
    raw.images.remove(name)
    container = runtime.prepare(spec("true", image=name), nobody, no_checkpoint)
    started = runtime.start(container, ())
    assert started.image_id == raw.images.get(BUSYBOX_IMAGE).id
    digest = next(one for one in raw.images.get(name).attrs["RepoDigests"] if one.startswith(registry.address))
    assert f"{registry.address}/team/tool@{runtime.image_digest(started)}" == digest
    runtime.remove(container)
    raw.images.remove(name)
    with pytest.raises(ImageAbsent):
        runtime.create(spec("true", image=digest))
    assert runtime.prepare(spec("true", image=digest), nobody, no_checkpoint).started_ms is None


@pytest.mark.parametrize("tag", ["team/absent:1", "team/tool:absent"])
def test_a_missing_image_is_the_users_fault(runtime: Engine, registry: Registry, tag: str) -> None:
    with pytest.raises(UserFault, match="could not be pulled") as caught:
        runtime.images.pull(f"{registry.address}/{tag}", nobody(), no_checkpoint)
    assert (caught.value.code, caught.value.cause) == (InfoCode.JOB_IMAGE_PULL, EndCause.IMAGE_REFUSED)


def test_an_unreachable_registry_is_not(runtime: Engine) -> None:
    with pytest.raises(PlatformFault, match="can be reached from the host") as caught:
        runtime.images.pull(f"127.0.0.1:{free_port()}/x:1", nobody(), no_checkpoint)
    assert caught.value.code is InfoCode.JOB_REGISTRY_UNAVAILABLE


@pytest.fixture
def silent_registry(registry: Registry) -> Iterator[Registry]:
    """A registry that takes connections and says nothing."""
    os.kill(registry.pid, signal.SIGSTOP)
    yield registry
    os.kill(registry.pid, signal.SIGCONT)


def test_a_pull_is_given_up_when_told_also_when_the_registry_is_silent(
    runtime: Engine, silent_registry: Registry
) -> None:
    def stop() -> None:
        raise StepCancelled("stopped")

    with pytest.raises(StepCancelled):
        runtime.images.pull(f"{silent_registry.address}/team/tool:1", nobody(), stop)


def test_a_pull_that_takes_too_long(engine: DockerEngine, namespace: str, silent_registry: Registry) -> None:
    settings = HostSettings(docker_url=engine.url, container_network="none", pull_timeout_seconds=0.5)
    with pytest.raises(PlatformFault, match="longer than"):
        Engine(settings, namespace).images.pull(f"{silent_registry.address}/team/tool:1", nobody(), no_checkpoint)


def test_an_engine_that_is_not_there(namespace: str, tmp_path: Path) -> None:
    gone = Engine(HostSettings(docker_url=f"unix://{tmp_path}/none.sock"), namespace)
    with pytest.raises(EngineUnavailable):
        gone.containers()
    with pytest.raises(EngineUnavailable):
        gone.images.pull("x", nobody(), no_checkpoint)


def test_deaths_are_told(runtime: Engine) -> None:
    container = runtime.create(spec("true"))
    deaths = runtime.deaths()
    threading.Timer(0.3, runtime.start, (container, ())).start()
    assert next(deaths) == container.id
