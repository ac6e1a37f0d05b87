"""Hosts that find their GPUs: over the real binding to the NVIDIA driver, and a driver that is not one."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from aitrain.domain.states import EndCause, InfoCode
from aitrain.domain.usage import GpuUse
from tests.acceptance.conftest import QUICK, Fleet, eventually
from tests.acceptance.test_doctor import doctor
from tests.fake_driver import FakeDriver, FakeGpu
from workers.gpus.gpu import MIB
from workers.scratch.servers import DockerEngine

FLAVORS = {
    "cpu": {"kind": "cpu", "cpu": "0.5", "memory_gib": "0.125", "hourly_price": "0.03", "default": True},
    "h100": {
        "kind": "gpu", "brand": "NVIDIA", "model": "H100", "gpu_memory_gib": 80, "cpu": "0.5", "memory_gib": "0.125",
        "hourly_price": "2.80", "default": True,
    },
}  # fmt: skip
SHOW = ("sh", "-c", "echo $NVIDIA_VISIBLE_DEVICES")
LOST, NOT_LOADED = 15, 9


@pytest.fixture
def driver(tmp_path: Path) -> FakeDriver:
    return FakeDriver(tmp_path)


def site_of(make_fleet: Callable[..., Fleet], driver: FakeDriver, **timing: float) -> Fleet:
    waits = {**QUICK, "gpu_look_seconds": 0.3, "gpu_clean_seconds": 1, "retry_pause_seconds": 0.5, **timing}
    return make_fleet(flavors=FLAVORS, timing=waits, variables=driver.variables)


def aside(fleet: Fleet) -> dict[str, str]:
    """Why units of the host h1 are set aside by its agent."""
    store = fleet.client._store
    return {
        name: json.loads(why)["agent"] for name, why in store._redis.hgetall(store._key("host_aside", "h1")).items()
    }


def units(fleet: Fleet) -> set[str]:
    store = fleet.client._store
    return set(store._redis.hkeys(store._key("host_units", "h1", "h100")))


def test_gpus_come_and_go(make_fleet: Callable[..., Fleet], driver: FakeDriver, engine: DockerEngine) -> None:
    fleet = site_of(make_fleet, driver)
    # Given a host whose driver is not ready yet: it has its CPU to offer.
    driver.fails(NOT_LOADED)
    host = fleet.site.host("h1", {"cpu": 1}, engine.url, inventory="nvml")
    with host:
        waits = fleet.submit(*SHOW, gpu=1)
        assert fleet.end(fleet.submit("true")).state == "DONE"
        # When it is, there is a GPU that somebody uses, and one of which the site has no flavor.
        driver.has(FakeGpu("GPU-a", used=900, processes=[(4242, "/opt/miner", 800)]), FakeGpu("GPU-b", "NVIDIA H200"))
        eventually(lambda: aside(fleet) == {"h100/GPU-a": "in use by miner (pid 4242)"}, 30, "it is set aside")
        eventually(lambda: units(fleet) == {"GPU-a"}, 30, "it is offered")
        assert fleet.client.get(waits.id).state == "QUEUED"
        shown = {unit.id: unit.why_aside for of in fleet.client.host("h1").flavors for unit in of.units}
        assert "in use by miner (pid 4242)" in shown["GPU-a"], "an operator sees it anywhere"
        section = {"name": "h1", "inventory": "nvml", "docker_url": engine.url, "container_network": "none",
                   "data_dir": str(fleet.site.directory / "h1")}  # fmt: skip
        _, said = doctor(fleet.site.environment(host=section), "-o", "json")
        told = {finding["check"]: finding for finding in json.loads(said)["findings"]}
        assert "in use by miner (pid 4242)" in told["gpu.health"]["found"]
        assert "NVIDIA H200" in told["gpu.flavors"]["found"]
        # When it is clean again, what waits for it starts.
        driver.has(FakeGpu("GPU-a"))
        ended = fleet.end(waits)
        assert (ended.state, ended.attempt, fleet.log(ended)) == ("DONE", 1, ["GPU-a"])
        # While a job runs there, what is on it is the job's.
        running = fleet.until(fleet.submit("sleep", "60", gpu=1), "RUNNING")
        driver.has(FakeGpu("GPU-a", used=900, busy=87, processes=[(4243, "/usr/bin/python3", 800)]))
        fleet.end(fleet.submit("true"))
        assert aside(fleet) == {}
        assert fleet.client.stats(running.id).gpus == (
            GpuUse(unit="GPU-a", busy_percent=87, memory_bytes=900 * MIB, memory_total_bytes=81_559 * MIB),
        )
        # When it is lost, the job is left alone, and the next one does not get it.
        driver.has(FakeGpu("GPU-a", lost=LOST))
        eventually(lambda: "fallen off the bus" in aside(fleet).get("h100/GPU-a", ""), 30, "it is seen")
        next_one = fleet.submit(*SHOW, gpu=1)
        assert fleet.client.get(running.id).state == "RUNNING"
        fleet.client.stop(running.id)
        assert fleet.end(running).state == "INTERRUPTED"
        assert fleet.client.get(next_one.id).state == "QUEUED"
        # When it is replaced while the host is up, the new one is found.
        driver.has(FakeGpu("GPU-c"), FakeGpu("GPU-d"))
        assert fleet.log(fleet.end(next_one)) in (["GPU-c"], ["GPU-d"])
        assert "driver does not list it" in aside(fleet)["h100/GPU-a"]
        both = [fleet.until(fleet.submit("sleep", "60", gpu=1), "RUNNING") for _ in range(2)]
        assert {job.unit_ids for job in both} == {("GPU-c",), ("GPU-d",)}
        for job in both:
            fleet.client.stop(job.id)
            fleet.end(job)
    assert "GPU GPU-b is not offered: NVIDIA H200, 80 GiB" in host.log.read_text()


def test_no_job_starts_on_a_dirty_gpu(
    make_fleet: Callable[..., Fleet], driver: FakeDriver, engine: DockerEngine
) -> None:
    # Given an agent that found two clean GPUs, and does not look again soon.
    fleet = site_of(make_fleet, driver, gpu_look_seconds=600)
    driver.has(FakeGpu("GPU-a"), FakeGpu("GPU-b"))
    with fleet.site.host("h1", {"cpu": 1}, engine.url, inventory="nvml"):
        eventually(lambda: units(fleet) == {"GPU-a", "GPU-b"}, 30, "it has joined")
        # When somebody takes the first, a job that is given it goes elsewhere before anything of it has run,
        driver.has(FakeGpu("GPU-a", used=400), FakeGpu("GPU-b"))
        ended = fleet.end(fleet.submit(*SHOW, gpu=1))
        assert (ended.state, fleet.log(ended)) == ("DONE", ["GPU-b"])
        assert [(end.cause, end.started_ms) for end in ended.earlier_attempts] == [(EndCause.GPU_FAULT, None)]
        assert fleet.starts(ended) == 1
        assert aside(fleet) == {"h100/GPU-a": "400 MiB of its memory are in use"}
        # and the next one does not get it at all.
        assert [end.cause for end in fleet.end(fleet.submit("true", gpu=1)).earlier_attempts] == []
        # When none is clean, a job ends by the platform's fault, and not by its own.
        driver.has(FakeGpu("GPU-a", used=400), FakeGpu("GPU-b", ecc=2))
        failed = fleet.end(fleet.submit("true", gpu=1, platform_retries=0))
        assert (failed.state, failed.code, failed.end_cause) == ("ERROR", InfoCode.JOB_ERROR, EndCause.GPU_FAULT)
        assert "GPU GPU-b: 2 uncorrectable memory errors" in failed.message
        assert fleet.starts(failed) == 0


def test_a_host_that_cannot_find_gpus_says_so(
    make_fleet: Callable[..., Fleet], driver: FakeDriver, engine: DockerEngine
) -> None:
    driver.has(FakeGpu("GPU-a"))
    with_driver, without = site_of(make_fleet, driver), make_fleet(flavors=FLAVORS)
    for fleet, given, said in (
        (without, {}, "needs the NVIDIA driver"),
        (with_driver, {"h100": ["GPU-a"]}, "is found by its model, since host.inventory is nvml"),
    ):
        with fleet.site.host("h1", given, engine.url, inventory="nvml", role="agent") as agent:
            assert agent.process is not None
            assert agent.process.wait(30) == 2
        assert said in agent.log.read_text()
