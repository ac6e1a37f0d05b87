"""What an engine, disks and GPUs mean for a host."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from aitrain.settings import HostSettings, Settings
from workers.doctor import disk, engine, gpus
from workers.doctor.disk import Directory, Space
from workers.doctor.finding import GIB, Finding, Verdict, worst
from workers.gpus import Gpu, GpuProcess, Look
from workers.runtime.inspection import EngineFacts

SOUND = EngineFacts(
    version="27.3.1", api=(1, 47), live_restore=True, swarm=False, runtimes=("runc", "nvidia"), cdi=False,
    cdi_gpus=False, processors=64, memory=256 * GIB, limits=frozenset({"memory", "swap", "cpu", "pids"}),
    security=("seccomp",), storage_driver="overlay2", cgroup_version="2", root="/var/lib/docker",
    networks=("bridge", "host", "none"), ahead_s=0.0, error_s=0.01,
)  # fmt: skip


def offering(**units: Any) -> Settings:
    return Settings(host=HostSettings(name="gpu-01", units=units))


TWO_GPUS = offering(v100s=2)


def test_a_sound_engine_is_ok_throughout() -> None:
    findings = engine.judge(SOUND, TWO_GPUS, TWO_GPUS.host.unit_ids, has_gpu_hook=False)
    assert {finding.verdict for finding in findings} == {Verdict.OK}
    assert "gpu.runtime" in {finding.check for finding in findings}
    without = engine.judge(replace(SOUND, runtimes=()), offering(cpu=4), {"cpu": range(4)}, has_gpu_hook=False)
    assert worst(without) is Verdict.OK


@pytest.mark.parametrize(
    ("judge", "facts", "verdict", "found", "remedy"),
    [
        (engine.version, {"api": (1, 40), "version": "19.03"}, "FAIL", "19.03 (API 1.40)", "20.10"),
        (engine.live_restore, {"live_restore": False}, "WARN", "ends all running jobs", '{"live-restore": true}'),
        (engine.live_restore, {"live_restore": False, "swarm": True}, "WARN", "off", "leave the swarm"),
        (engine.storage, {"storage_driver": "vfs"}, "WARN", "vfs", "overlay2"),
        (engine.limits, {"limits": frozenset({"swap", "cpu"})}, "FAIL", "memory, pids", "cgroup v2"),
        (engine.limits, {"limits": frozenset({"memory", "cpu", "pids"})}, "WARN", "swap", "swapaccount"),
        (engine.users, {"security": ("seccomp", "rootless")}, "FAIL", "rootless", "runs as root"),
        (engine.users, {"security": ("userns",)}, "FAIL", "userns", "userns-remap"),
    ],
)
def test_what_is_wrong_with_an_engine(
    judge: Callable[[EngineFacts], Finding], facts: dict[str, Any], verdict: str, found: str, remedy: str
) -> None:
    finding = judge(replace(SOUND, **facts))
    assert finding.verdict == verdict
    assert found in finding.found
    assert remedy in finding.remedy


def test_an_engine_that_does_not_answer() -> None:
    assert "systemctl start docker" in engine.unreachable("unix:///x", "No such file").remedy
    assert "run as root" in engine.unreachable("unix:///x", "PermissionError(13, 'Permission denied')").remedy


def test_a_network_that_is_not_there() -> None:
    settings = Settings(host=HostSettings(container_network="jobs"))
    assert engine.network(replace(SOUND, networks=("jobs",)), settings).verdict is Verdict.OK
    finding = engine.network(SOUND, settings)
    assert finding.verdict is Verdict.FAIL
    assert "docker network create jobs" in finding.remedy


@pytest.mark.parametrize(
    ("firewall", "networks", "verdict"),
    [
        (None, (), "OK"),
        ("-P FORWARD DROP\n-N DOCKER\n-N DOCKER-USER\n", (), "OK"),
        ("-P FORWARD ACCEPT\n", (), "FAIL"),
        ("-N DOCKER\n-A FORWARD -i at-aitrain -o at-aitrain -j DROP\n", ("aitrain-jobs",), "OK"),
        (
            "-N DOCKER\n-A FORWARD -i docker0 -o docker0 -j ACCEPT\n",
            ("aitrain-jobs",),
            "FAIL",
        ),  # left from a start before
    ],
)
def test_an_engine_that_cannot_keep_jobs_apart(firewall: str | None, networks: tuple[str, ...], verdict: str) -> None:
    finding = engine.network(replace(SOUND, firewall=firewall, networks=networks), Settings())
    assert finding.verdict == verdict
    assert ("iptables" in finding.remedy) == (verdict == "FAIL")


@pytest.mark.parametrize(("gib", "verdict"), [(256, "OK"), (82, "OK"), (80.5, "WARN"), (78, "WARN"), (70, "FAIL")])
def test_memory_that_is_promised(gib: float, verdict: str) -> None:
    finding = engine.memory(replace(SOUND, memory=int(gib * GIB)), TWO_GPUS, TWO_GPUS.host.unit_ids)  # 40 GiB a unit
    assert finding.verdict == verdict
    assert finding.found.startswith("80.0 GiB promised to jobs")


def test_processors_that_are_promised() -> None:
    units = {"v100s": ["0", "1"], "unknown": ["0"]}
    assert engine.processors(replace(SOUND, processors=26), TWO_GPUS, units).verdict is Verdict.OK  # 13 a unit
    finding = engine.processors(replace(SOUND, processors=20), TWO_GPUS, units)
    assert (finding.verdict, finding.found) == (Verdict.WARN, "26 promised to jobs, 20 there")


@pytest.mark.parametrize(
    ("runtimes", "cdi", "hook", "verdict"),
    [
        (("nvidia",), (False, False), False, "OK"),
        ((), (False, False), True, "OK"),
        ((), (True, True), False, "OK"),
        ((), (True, False), False, "WARN"),
        ((), (False, False), False, "FAIL"),
    ],
)
def test_a_gpu_runtime(runtimes: tuple[str, ...], cdi: tuple[bool, bool], hook: bool, verdict: str) -> None:
    finding = engine.gpu_runtime(replace(SOUND, runtimes=runtimes, cdi=cdi[0], cdi_gpus=cdi[1]), has_hook=hook)
    assert finding.verdict == verdict
    assert ("nvidia-ctk" in finding.remedy) == (verdict != "OK")


# ── disks ───────────────────────────────────────────────────────────────────────────────────────────────────────────

ROOMY = Space(1000 * GIB, 500 * GIB, 10**7, 9 * 10**6)
USABLE = Directory(Path("/data"), exists=True, kind="ext4", space=ROOMY, trouble="", trouble_giving="")


@pytest.mark.parametrize(
    ("space", "verdicts"),
    [
        (ROOMY, ["OK"]),
        (replace(ROOMY, size=100 * GIB, free=19 * GIB), ["WARN"]),
        (replace(ROOMY, free=99 * GIB), ["WARN"]),
        (replace(ROOMY, size=100_000 * GIB, free=500 * GIB), ["OK"]),
        (replace(ROOMY, free=GIB - 1), ["FAIL"]),
        (replace(ROOMY, free_inodes=10**5), ["OK", "WARN"]),
        (replace(ROOMY, free_inodes=100), ["OK", "FAIL"]),
        (replace(ROOMY, inodes=0, free_inodes=0), ["OK"]),
        (Space(0, 0, 0, 0), ["FAIL"]),
    ],
)
def test_room(space: Space, verdicts: list[str]) -> None:
    assert [finding.verdict for finding in disk.room("d", space, "x", "add a disk")] == verdicts


@pytest.mark.parametrize(
    ("facts", "check", "verdict", "remedy"),
    [
        ({}, "host.data_dir", "OK", ""),
        ({"exists": False}, "host.data_dir", "OK", ""),
        ({"trouble": "Read-only file system"}, "host.data_dir", "FAIL", "host.data_dir"),
        ({"trouble_giving": "Operation not permitted"}, "host.owner", "FAIL", "as root"),
        ({"kind": "tmpfs"}, "host.file_system", "WARN", "on a disk"),
        ({"kind": "overlay"}, "host.file_system", "WARN", "bind data_dir"),
        ({"kind": "nfs4"}, "host.file_system", "WARN", "disk of this machine"),
    ],
)
def test_a_directory(facts: dict[str, Any], check: str, verdict: str, remedy: str) -> None:
    findings = {finding.check: finding for finding in disk.judge_directory(replace(USABLE, **facts))}
    assert findings[check].verdict == verdict
    assert remedy in findings[check].remedy


@pytest.mark.parametrize(("promised", "verdict"), [(0, None), (1000 * GIB, "OK"), (1001 * GIB, "WARN")])
def test_the_disk_that_flavors_promise(promised: float, verdict: str | None) -> None:
    findings = {finding.check: finding.verdict for finding in disk.judge_directory(USABLE, promised)}
    assert findings.get("host.disk_share") == verdict


def test_a_directory_is_tried_and_left_as_it_was(tmp_path: Path) -> None:
    found = disk.directory(tmp_path, f"{os.getuid()}:{os.getgid()}")
    assert (found.exists, found.trouble, found.trouble_giving) == (True, "", "")
    assert found.space.size > 0
    assert list(tmp_path.iterdir()) == []


def test_a_directory_that_is_not_there_yet_is_not_made(tmp_path: Path) -> None:
    found = disk.directory(tmp_path / "a" / "b", "0:0")
    assert (found.exists, found.trouble) == (False, "")
    assert list(tmp_path.iterdir()) == []


def test_a_file_is_no_directory(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    assert disk.directory(tmp_path / "file", "0:0").trouble == "Not a directory"
    assert "cannot be written" in disk.directory(tmp_path / "file" / "below", "0:0").trouble


def test_a_file_system_in_memory_is_known() -> None:
    assert disk.directory(Path("/dev/shm"), "0:0").kind == "tmpfs"  # noqa: S108 - it is looked at, and no file made
    assert disk.directory(Path("/proc/self"), "0:0").kind == "proc"


def test_a_root_that_cannot_be_seen() -> None:
    assert worst(disk.engine_room("/nowhere/at/all")) is Verdict.WARN


# ── GPUs ────────────────────────────────────────────────────────────────────────────────────────────────────────────

FIRST, SECOND, SLICE = "GPU-4404041a", "GPU-11111111", "MIG-22222222"
H100 = "NVIDIA H100 80GB HBM3"
PYTHON = GpuProcess(7, "python3", 900)


def h100(number: str, uuid: str, **more: Any) -> Gpu:
    return Gpu(number, uuid, H100, 81_559, more.pop("used_mib", 0), **more)


LISTED = Look((h100("0", FIRST), h100("1", SECOND), Gpu("", SLICE, f"{H100} MIG 1g.10gb", 9_984, 0)))


def verdicts_of(findings: list[Finding]) -> dict[str, str]:
    return {finding.check: str(finding.verdict) for finding in findings}


@pytest.mark.parametrize(
    ("units", "verdicts"),
    [
        ({"h100": 2}, {"gpu.ids": "OK", "gpu.health": "OK"}),
        ({"h100": [FIRST, SLICE]}, {"gpu.ids": "OK", "gpu.health": "OK"}),
        ({"h100": 3}, {"gpu.ids": "FAIL", "gpu.health": "OK"}),
        ({"h100": ["GPU-gone"]}, {"gpu.ids": "FAIL"}),
        ({"h100": ["0", FIRST]}, {"gpu.ids": "OK", "gpu.twice": "FAIL", "gpu.health": "OK"}),
        ({"h100": 1, "v100s": 1, "cpu": 4}, {"gpu.ids": "OK", "gpu.twice": "FAIL", "gpu.health": "OK"}),
    ],
)
def test_gpus_that_are_offered(units: dict[str, Any], verdicts: dict[str, str]) -> None:
    assert verdicts_of(gpus.judge(LISTED, offering(**units))) == verdicts


def finding_gpus() -> Settings:
    return Settings(host=HostSettings(name="gpu-01", inventory="nvml"))


def test_gpus_that_are_found() -> None:
    other = Gpu("1", SECOND, "NVIDIA H200", 143_771, 0)
    findings = gpus.judge(Look((h100("0", FIRST), other)), finding_gpus())
    assert verdicts_of(findings) == {"gpu.ids": "OK", "gpu.flavors": "WARN", "gpu.health": "OK"}
    left_out = next(finding for finding in findings if finding.check == "gpu.flavors")
    assert f"{SECOND} is not offered: NVIDIA H200, 140 GiB: no flavor" in left_out.found
    assert verdicts_of(gpus.judge(Look((other,)), finding_gpus()))["gpu.ids"] == "WARN"
    assert verdicts_of(gpus.judge(Look(absent=True), finding_gpus())) == {"gpu.driver": "FAIL"}


@pytest.mark.parametrize(
    ("gpu", "own", "verdict", "found"),
    [
        (h100("0", FIRST, faults=("it is lost",)), (), "FAIL", "it is lost"),
        (h100("0", FIRST, used_mib=900, processes=(PYTHON,)), (), "WARN", "in use by python3 (pid 7)"),
        (h100("0", FIRST, used_mib=900), (), "WARN", "900 MiB"),
        (h100("0", FIRST, used_mib=900, processes=(PYTHON,)), {7}, "OK", "1 are clean"),
        (h100("0", FIRST, used_mib=900, processes=(PYTHON, GpuProcess(8, "miner", 0))), {7}, "WARN", "miner (pid 8)"),
    ],
)
def test_the_health_of_gpus(gpu: Gpu, own: set[int], verdict: str, found: str) -> None:
    findings = gpus.judge(Look((gpu,)), offering(h100=[FIRST]), own)
    health = next(finding for finding in findings if finding.check == "gpu.health")
    assert health.verdict == verdict
    assert found in health.found


def test_no_list_of_gpus() -> None:
    absent = gpus.judge(Look(absent=True), TWO_GPUS)
    assert [(finding.check, finding.verdict) for finding in absent] == [("gpu.ids", Verdict.WARN)]
    broken = gpus.judge(Look(trouble="NVML: Driver/library version mismatch"), TWO_GPUS)
    assert [(finding.check, finding.verdict) for finding in broken] == [("gpu.driver", Verdict.FAIL)]


def test_whose_a_process_is() -> None:
    mine = Look((h100("0", FIRST, processes=(GpuProcess(os.getpid(), "python3", 1), GpuProcess(2**22, "gone", 1))),))
    group = Path("/proc/self/cgroup").read_text().strip()
    assert gpus.own_pids(mine, [group]) == {os.getpid()}
    assert gpus.own_pids(mine, ["0" * 64]) == set()
