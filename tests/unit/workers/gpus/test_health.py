"""Which GPU is fit for a job."""

from __future__ import annotations

from typing import Any

import pytest

from aitrain.settings import HostSettings
from workers.gpus.gpu import Gpu, GpuProcess, Look
from workers.gpus.health import faults, why_unfit

HOST = HostSettings(gpu_idle_memory_mib=256, gpu_tolerated_programs=("Xorg",))
PYTHON, DISPLAY = GpuProcess(7, "python3", 500), GpuProcess(9, "Xorg", 300)


def gpu(uuid: str = "GPU-a", number: str = "0", used_mib: int = 0, **more: Any) -> Gpu:
    return Gpu(number, uuid, "NVIDIA H100 PCIe", 81_559, used_mib, **more)


@pytest.mark.parametrize(
    ("found", "free", "in_use"),
    [
        (gpu(used_mib=256), "", ""),
        (gpu(used_mib=257), "257 MiB", ""),
        (gpu(used_mib=500, processes=(PYTHON,)), "in use by python3 (pid 7)", ""),
        (gpu(processes=(GpuProcess(8, "", 0),)), "unknown (pid 8)", ""),
        (gpu(used_mib=310, processes=(DISPLAY,)), "", ""),
        (gpu(used_mib=900, processes=(DISPLAY,)), "900 MiB", ""),
        (gpu(faults=("it is lost",)), "it is lost", "it is lost"),
        (gpu(faults=("it is lost",), used_mib=900), "it is lost", "it is lost"),
        (gpu(mig=True), "MIG mode", "MIG mode"),
    ],
)
def test_a_gpu_with_and_without_a_job(found: Gpu, free: str, in_use: str) -> None:
    for expected, is_in_use in ((free, False), (in_use, True)):
        why = why_unfit("GPU-a", Look((found,)), HOST, in_use=is_in_use)
        assert expected in why
        assert bool(why) == bool(expected)


def test_a_unit_is_meant_by_its_id_or_its_number() -> None:
    looked = Look((gpu("GPU-a", "0"), gpu("GPU-b", "1", faults=("sick",))))
    assert faults({"h100": ["0", "1"]}, looked, (), HOST) == {"h100": {"1": "sick"}}
    assert faults({"h100": ["GPU-a"], "v100s": ["GPU-b"]}, looked, (), HOST) == {"v100s": {"GPU-b": "sick"}}


def test_a_job_excuses_only_its_own_unit() -> None:
    looked = Look((gpu("GPU-a", processes=(PYTHON,)), gpu("GPU-b", "1", processes=(PYTHON,))))
    assert set(faults({"h100": ["GPU-a", "GPU-b"]}, looked, {("h100", "GPU-a")}, HOST)["h100"]) == {"GPU-b"}


def test_a_gpu_that_is_gone() -> None:
    assert "fallen off the bus" in faults({"h100": ["GPU-a"]}, Look(), {("h100", "GPU-a")}, HOST)["h100"]["GPU-a"]


def test_a_driver_that_ails_or_is_not_there() -> None:
    units = {"h100": ["GPU-a"]}
    assert faults(units, Look(trouble="NVML: mismatch"), (), HOST) == {"h100": {"GPU-a": "NVML: mismatch"}}
    assert faults(units, Look(absent=True), (), HOST) == {}, "declared GPUs are taken as they are"
    assert faults(units, Look(absent=True), (), HostSettings(inventory="nvml")) != {}


@pytest.mark.parametrize(
    ("in_use", "kept"), [((), "slices/0"), ({("slices", "0")}, "slices/0"), ({("h100", "GPU-a")}, "h100/GPU-a")]
)
def test_a_gpu_that_is_offered_twice_is_given_to_one_job(in_use: Any, kept: str) -> None:
    # Given a GPU that stands in host.units by its number, and that the driver lists by its id
    units = {"slices": ["0"], "h100": ["GPU-a", "GPU-b"]}
    found = faults(units, Look((gpu(), gpu("GPU-b", "1"))), in_use, HOST)
    unfit = [f"{flavor}/{unit}" for flavor, of in found.items() for unit in of]
    assert len(unfit) == 1
    assert unfit[0] not in (kept, "h100/GPU-b")
    assert f"the same GPU as {kept}" in str(found)
