"""The units for systemd: checked by systemd itself, without one that runs."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest
from typer.main import get_command

from aitrain.cli.app import app
from aitrain.settings import HostSettings, Timing

UNITS = Path(__file__).parents[2] / "deploy" / "systemd"
SERVICES = sorted(UNITS.glob("*.service"))
PROGRAM = "/opt/aitrain/bin/aitrain"
# What `systemd-analyze security` gives, from 0 (walled in) to 10: the host's two need root and the engine's socket.
EXPOSURE = {"agent": 3.0, "worker": 3.3}
SITE_EXPOSURE = 1.4


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A root with the units, the program, and systemd's own units."""
    root = tmp_path_factory.mktemp("root")
    program = root / PROGRAM.lstrip("/")
    program.parent.mkdir(parents=True)
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    shutil.copytree("/usr/lib/systemd/system", root / "usr/lib/systemd/system", symlinks=True)
    shutil.copytree(UNITS, root / "etc/systemd/system", dirs_exist_ok=True)
    return root


def analyze(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["systemd-analyze", *arguments], capture_output=True, text=True, check=False)


def setting(unit: Path, name: str) -> list[str]:
    return [line.partition("=")[2] for line in unit.read_text().splitlines() if line.startswith(f"{name}=")]


def test_systemd_finds_nothing_wrong(root: Path) -> None:
    units = [str(root / "etc/systemd/system" / unit.name) for unit in (*SERVICES, UNITS / "aitrain.target")]
    found = analyze("verify", "--man=no", f"--root={root}", *units)
    assert (found.returncode, found.stdout + found.stderr) == (0, "")
    broken = root / "etc/systemd/system/broken.service"
    broken.write_text(SERVICES[0].read_text().replace("Restart=always", "Restart=sometimes"))
    assert "sometimes" in analyze("verify", "--man=no", f"--root={root}", str(broken)).stderr, "it would have said so"


@pytest.mark.parametrize("unit", SERVICES, ids=lambda unit: unit.stem)
def test_each_unit_is_walled_in(root: Path, unit: Path) -> None:
    most = EXPOSURE.get(unit.stem.removeprefix("aitrain-"), SITE_EXPOSURE)
    where = f"--root={root}"
    done = analyze("security", "--offline=true", where, f"--threshold={most * 10:.0f}", "--no-pager",
                   str(root / "etc/systemd/system" / unit.name))  # fmt: skip
    assert done.returncode == 0, done.stdout.splitlines()[-1:]


@pytest.mark.parametrize("unit", SERVICES, ids=lambda unit: unit.stem)
def test_each_unit_runs_a_command_that_there_is_and_starts_again(unit: Path) -> None:
    (command,) = setting(unit, "ExecStart")
    program, role, *_ = command.split()
    assert (program, unit.stem) == (PROGRAM, f"aitrain-{role}")
    assert role in get_command(app).commands  # type: ignore[attr-defined]
    assert setting(unit, "Restart") == ["always"]
    assert setting(unit, "StartLimitIntervalSec") == ["0"]
    assert setting(unit, "PartOf") == setting(unit, "WantedBy") == ["aitrain.target"]


def test_a_worker_is_given_longer_than_it_takes_and_the_agent_stops_last() -> None:
    worker = UNITS / "aitrain-worker.service"
    (limit,) = setting(worker, "TimeoutStopSec")
    assert int(limit) >= Timing().worker_stop_seconds + 30
    assert "aitrain-agent.service" in setting(worker, "After")[0].split()


def test_a_watchdog_waits_for_several_signs_of_life() -> None:
    for unit in SERVICES:
        for limit in setting(unit, "WatchdogSec"):
            assert limit == "5min"
            assert 3 * Timing().canary_seconds + Timing().heartbeat_seconds < 5 * 60


@pytest.mark.parametrize("unit", SERVICES, ids=lambda unit: unit.stem)
def test_what_is_secret_is_given_to_one_process_only(unit: Path) -> None:
    """Whoever is not root there has a user of its own and reads no file of root's."""
    by_itself = setting(unit, "DynamicUser") == ["yes"]
    assert by_itself is (unit.stem not in ("aitrain-agent", "aitrain-worker"))
    assert by_itself is any("/etc/aitrain/" in one for one in setting(unit, "LoadCredential"))
    assert ("keys/secrets.key" in unit.read_text()) is (unit.stem == "aitrain-control"), "only control decrypts"


def test_the_worker_may_lay_certificates_of_registries_and_finds_their_place(tmp_path: Path) -> None:
    worker = UNITS / "aitrain-worker.service"
    place = HostSettings().registry_certs_dir
    assert setting(worker, "ReadWritePaths") == [f"-{place}"]
    temporary_files(tmp_path)
    assert (tmp_path / str(place).lstrip("/")).is_dir()


def test_what_is_secret_is_roots_and_a_server_keeps_its_key(tmp_path: Path) -> None:
    """Redis may run on the machine of control workers, as a user of its own, which has to read its key."""
    site = tmp_path / "etc/aitrain"
    given = {"control.toml": 0o644, "keys/secrets.key": 0o644, "tls/redis.key": 0o640, "tls/ca.pem": 0o600}
    for name, mode in given.items():
        (site / name).parent.mkdir(parents=True, exist_ok=True)
        (site / name).touch(mode)
        os.chown(site / name, 999, 999)
    temporary_files(tmp_path)
    found = {name: (site / name).stat() for name in given}
    assert {name: (one.st_uid, one.st_mode & 0o777) for name, one in found.items()} == {
        "control.toml": (0, 0o600), "keys/secrets.key": (0, 0o600), "tls/redis.key": (999, 0o600),
        "tls/ca.pem": (999, 0o644),
    }  # fmt: skip


def temporary_files(root: Path) -> None:
    """Has systemd make and give away what tmpfiles.d says, below a root."""
    place = root / "usr/lib/tmpfiles.d"
    shutil.copytree(UNITS / "tmpfiles.d", place)
    subprocess.run(["systemd-tmpfiles", "--create", f"--root={root}", "aitrain.conf"], check=True)
