"""Makes the demo's training image: Debian with Python and numpy by debootstrap, then a Dockerfile on top."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import docker

from workers.scratch.images import digest, has_image, import_image

HERE = Path(__file__).parent / "trainer"
PACKAGES = "python3-minimal,python3-numpy"
SUITE_FILE = Path("/etc/os-release")


def ensure_trainer(docker_url: str, cache: Path, say: Callable[[str], None]) -> str:
    """Makes the training image present; its name. cache: keeps the root file system; say: is told what takes long."""
    recipe = [(HERE / name).read_bytes() for name in ("Dockerfile", "train.py")]
    suite = _suite()
    base = f"aitrain-local/python:{digest(suite, PACKAGES)}"
    image = f"aitrain-local/digits:{digest(base, *recipe)}"
    if not has_image(docker_url, image):
        if not has_image(docker_url, base):
            import_image(docker_url, base, _root_file_system(suite, cache, say))
        client = docker.DockerClient(base_url=docker_url, timeout=300)
        client.images.build(path=str(HERE), tag=image, buildargs={"BASE": base}, network_mode="none")
    return image


def _root_file_system(suite: str, cache: Path, say: Callable[[str], None]) -> Path:
    archive = cache / f"python-{digest(suite, PACKAGES)}.tar"
    if archive.exists():
        return archive
    say("making a Debian with Python and numpy for the training image; once, it takes a minute or two")
    root = cache / "root"
    shutil.rmtree(root, ignore_errors=True)
    cache.mkdir(parents=True, exist_ok=True)
    subprocess.run(
        ["debootstrap", "--variant=minbase", f"--include={PACKAGES}", suite, str(root), _mirror()],
        check=True,
        stdout=subprocess.DEVNULL,
    )
    for rubbish in ("var/cache/apt", "var/lib/apt/lists", "usr/share/doc", "usr/share/locale", "usr/share/man"):
        shutil.rmtree(root / rubbish, ignore_errors=True)
    part = archive.with_suffix(".part")
    subprocess.run(["tar", "--create", "--file", str(part), "--directory", str(root), "."], check=True)
    part.replace(archive)
    shutil.rmtree(root)
    return archive


def _suite() -> str:
    lines = dict(line.split("=", 1) for line in SUITE_FILE.read_text().splitlines() if "=" in line)
    return lines["VERSION_CODENAME"].strip('"')


def _mirror() -> str:
    """Where this machine's own apt gets its packages from."""
    sites = subprocess.run(
        ["apt-get", "indextargets", "--format", "$(SITE)|$(RELEASE)", "Created-By: Packages"],
        check=True,
        capture_output=True,
        text=True,
    ).stdout.splitlines()
    suite = _suite()
    return next(site for site, _, release in (line.partition("|") for line in sites) if release == suite)
