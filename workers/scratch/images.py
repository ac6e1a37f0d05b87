"""Images made on this machine, without any registry."""

from __future__ import annotations

import hashlib
import io
import tarfile
from pathlib import Path

import docker
from docker.errors import ImageNotFound

BUSYBOX = Path("/bin/busybox")
BUSYBOX_IMAGE = "aitrain-local/busybox:1"
APPLETS = (
    "cat cp dd echo env false find grep head id kill ln ls md5sum mkdir mkfifo mount mv printf ps pwd rm seq sh sleep "
    "stat tail test touch tr true wc wget"
).split()


def import_image(docker_url: str, name: str, root: bytes | Path) -> None:
    """Gives an engine an image made of a tar of a root file system."""
    client = docker.DockerClient(base_url=docker_url, timeout=300)
    repository, _, tag = name.partition(":")
    if isinstance(root, Path):
        client.api.import_image_from_file(str(root), repository=repository, tag=tag)
    else:
        client.api.import_image_from_data(root, repository=repository, tag=tag)


def has_image(docker_url: str, name: str) -> bool:
    """Whether the engine has an image of this name."""
    try:
        docker.DockerClient(base_url=docker_url, timeout=60).images.get(name)
    except ImageNotFound:
        return False
    return True


def busybox_root() -> bytes:
    """A root file system of a static busybox."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for name in ("bin", "dev", "etc", "proc", "sys"):
            tar.addfile(_directory(name, 0o755))
        tar.addfile(_directory("tmp", 0o1777))
        tar.add(BUSYBOX, "bin/busybox")
        for applet in APPLETS:
            link = tarfile.TarInfo(f"bin/{applet}")
            link.type, link.linkname = tarfile.SYMTYPE, "busybox"
            tar.addfile(link)
    return buffer.getvalue()


def ensure_busybox(docker_url: str) -> str:
    """Makes the busybox image present; its name."""
    if not has_image(docker_url, BUSYBOX_IMAGE):
        import_image(docker_url, BUSYBOX_IMAGE, busybox_root())
    return BUSYBOX_IMAGE


def digest(*parts: str | bytes) -> str:
    """A short digest, for names of images that follow from their content."""
    whole = hashlib.sha256()
    for part in parts:
        whole.update(part.encode() if isinstance(part, str) else part)
    return whole.hexdigest()[:12]


def _directory(name: str, mode: int) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.mode = tarfile.DIRTYPE, mode
    return info
