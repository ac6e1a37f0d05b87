"""Images that stand in for the official ones of docker-compose.yml, with the same commands, users and folders."""

from __future__ import annotations

import io
import shutil
import subprocess
import sys
from pathlib import Path

import docker

from tests.debian import root_of
from tests.pages import ROOT
from workers.scratch.images import BUSYBOX, import_image

PACKAGES = ("python3-venv", "git", "tzdata", "redis-server", "redis-tools", "docker-registry")
REGISTRY = "version: 0.1\nstorage: {filesystem: {rootdirectory: /var/lib/registry}}\nhttp: {addr: ':5000'}\n"
BASE = "aitrain-local/debian:1"
# Variable of docker-compose.yml -> the image in its place, and what it adds to the base.
IMAGES = {
    "REDIS_IMAGE": (
        "aitrain-local/redis:1",
        "RUN mkdir /data && chown 999:999 /data\nWORKDIR /data\n"
        'ENTRYPOINT ["docker-entrypoint.sh"]\nCMD ["redis-server"]\n',
    ),
    "REGISTRY_IMAGE": (
        "aitrain-local/registry:1",
        "RUN mkdir -p /var/lib/registry\n"
        'ENTRYPOINT ["docker-registry", "serve"]\nCMD ["/etc/docker/registry/config.yml"]\n',
    ),
    "S3_IMAGE": ("aitrain-local/rclone:1", 'WORKDIR /data\nENTRYPOINT ["rclone"]\n'),
}
# What a checkout has of what the page's commands read.
CHECKOUT = (
    "aitrain", "workers", "deploy", "pyproject.toml", "constraints.txt", "README.md", "LICENSE", ".dockerignore",
    "docker-compose.yml",
)  # fmt: skip


def make_stand_ins(docker_url: str, directory: Path) -> dict[str, str]:
    """Makes the base and the stand-ins; the variables that name them."""
    rclone = Path(sys.executable).parent / "rclone"
    extra: dict[str, str | Path] = {
        "usr/local/bin/docker-entrypoint.sh": '#!/bin/sh\nexec "$@"\n',
        "usr/local/bin/rclone": rclone,
        "usr/local/bin/wget": BUSYBOX,
        "etc/docker/registry/config.yml": REGISTRY,
    }
    import_image(docker_url, BASE, root_of(PACKAGES, directory / "debian.tar", extra))
    client = docker.DockerClient(base_url=docker_url, timeout=300)
    for image, adds in IMAGES.values():
        client.images.build(fileobj=io.BytesIO(f"FROM {BASE}\n{adds}".encode()), tag=image, rm=True)
    return {"BASE": BASE, **{variable: image for variable, (image, _) in IMAGES.items()}}


def make_context(directory: Path) -> Path:
    """A copy of the checkout with all wheels, so that the image is built without a network."""
    for name in CHECKOUT:
        source, target = ROOT / name, directory / name
        target.parent.mkdir(parents=True, exist_ok=True)
        if source.is_dir():
            shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__", "*.whl"))
        else:
            shutil.copy(source, target)
    # For the Python of the base, which is Debian's, whatever runs the tests.
    subprocess.run(
        [
            sys.executable, "-m", "pip", "--python", "/usr/bin/python3", "wheel", "--quiet",
            "--constraint", "constraints.txt", "--wheel-dir", "deploy/wheels", "setuptools", ".[worker,ops,cli]",
        ],
        cwd=directory, check=True, capture_output=True,
    )  # fmt: skip
    for built in (directory / "deploy/wheels").glob("aitrain-*.whl"):
        built.unlink()
    shutil.rmtree(directory / "build", ignore_errors=True)
    return directory
