"""What the NVIDIA driver says, through the real binding, over a library that answers from a file."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from pydantic import TypeAdapter

from tests.fake_driver import FakeDriver, FakeGpu
from workers.gpus import Gpu, GpuProcess, Look

LOOK = TypeAdapter(Look)
# A library is found by the variables with which a process began, so the looks are made in one of their own.
LOOKER = """
import sys
from pydantic import TypeAdapter
from workers.gpus import Look, look
for _ in sys.stdin:
    print(TypeAdapter(Look).dump_json(look()).decode(), flush=True)
"""
GONE, NO_MODULE, MISMATCH = 15, 9, 18


@pytest.fixture(scope="module")
def driver(tmp_path_factory: pytest.TempPathFactory) -> FakeDriver:
    return FakeDriver(tmp_path_factory.mktemp("driver"))


def looker(variables: dict[str, str]) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", LOOKER], env={**os.environ, **variables}, text=True, stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )  # fmt: skip


def one_look(process: subprocess.Popen[str]) -> Look:
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write("look\n")
    process.stdin.flush()
    return LOOK.validate_json(process.stdout.readline())


@pytest.fixture(scope="module")
def look(driver: FakeDriver) -> Iterator[Callable[[], Look]]:
    with looker(driver.variables) as process:
        yield lambda: one_look(process)


def test_sound_gpus_as_they_are(driver: FakeDriver, look: Callable[[], Look]) -> None:
    driver.has(
        FakeGpu("GPU-a", used=4),
        FakeGpu(
            "GPU-b",
            "Tesla V100S-PCIE-32GB",
            32_510,
            900,
            busy=87,
            processes=[(7, "/usr/bin/python3", 512), (9, "Xorg", 3)],
        ),
    )
    assert look() == Look(
        (
            Gpu("0", "GPU-a", "NVIDIA H100 80GB HBM3", 81_559, 4),
            Gpu("1", "GPU-b", "Tesla V100S-PCIE-32GB", 32_510, 900,
                (GpuProcess(7, "python3", 512), GpuProcess(9, "Xorg", 3)), busy_percent=87),
        )
    )  # fmt: skip


@pytest.mark.parametrize(
    ("gpu", "fault"),
    [
        (FakeGpu("GPU-a", ecc=3), "3 uncorrectable memory errors"),
        (FakeGpu("GPU-a", failed=True), "could not be remapped"),
        (FakeGpu("GPU-a", pending=True), "only when it is reset"),
        (FakeGpu("GPU-a", recovery=1), "asks for a reset"),
        (FakeGpu("GPU-a", recovery=99), "asks for recovery 99"),
        (FakeGpu("GPU-a", lost=GONE), "fallen off the bus"),
        (FakeGpu("GPU-a", lost=999), "NVML: Unknown Error"),
    ],
)
def test_what_is_wrong_with_a_gpu(driver: FakeDriver, look: Callable[[], Look], gpu: FakeGpu, fault: str) -> None:
    driver.has(gpu, FakeGpu("GPU-b"))
    sick, well = look().gpus
    assert (sick.uuid, sick.model) == ("GPU-a", "NVIDIA H100 80GB HBM3")
    assert fault in "; ".join(sick.faults)
    assert not well.faults


def test_a_program_cannot_write_on_an_operators_terminal(driver: FakeDriver, look: Callable[[], Look]) -> None:
    driver.has(FakeGpu("GPU-a", processes=((7, "\x1b[2Jgone", 512),)))
    assert look().gpus[0].processes == (GpuProcess(7, "?[2Jgone", 512),)


def test_slices_of_a_gpu(driver: FakeDriver, look: Callable[[], Look]) -> None:
    driver.has(
        FakeGpu("GPU-a", mig=True, ecc=1),
        FakeGpu("MIG-x", "NVIDIA H100 80GB HBM3 MIG 1g.10gb", 9_984, 20),
        FakeGpu("MIG-y", "NVIDIA H100 80GB HBM3 MIG 1g.10gb", 9_984, processes=[(7, "python3", 9)]),
    )
    whole, first, second = look().gpus
    assert whole.mig
    assert (first.uuid, first.number, first.memory_mib, first.used_mib) == ("MIG-x", "", 9_984, 20)
    assert second.processes == (GpuProcess(7, "python3", 9),)
    assert first.faults == whole.faults != ()


def test_a_driver_that_ails_and_recovers(driver: FakeDriver, look: Callable[[], Look]) -> None:
    for code, said in ((NO_MODULE, "Driver Not Loaded"), (MISMATCH, "version")):
        driver.fails(code)
        ailing = look()
        assert not ailing.absent
        assert said in ailing.trouble
    driver.has(FakeGpu("GPU-a"))
    assert [gpu.uuid for gpu in look().gpus] == ["GPU-a"], "it is opened anew each time"
    driver.has()
    assert look() == Look()


def test_no_driver(tmp_path: Path) -> None:
    with looker({"LD_LIBRARY_PATH": str(tmp_path)}) as process:
        assert one_look(process) == Look(absent=True)
