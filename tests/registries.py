"""Registries with a password and an image, for tests of what may be pulled by whom."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import docker

from workers.runtime import ImageAccess
from workers.scratch.images import BUSYBOX_IMAGE
from workers.scratch.registry import Registry
from workers.scratch.servers import DockerEngine

USER, PASSWORD = "reader", "hunter2-of-red"


def push(raw: docker.DockerClient, name: str, access: ImageAccess | None = None) -> None:
    """Puts busybox into a registry, and leaves nothing of that name on the engine."""
    repository, _, tag = name.rpartition(":")
    raw.images.get(BUSYBOX_IMAGE).tag(repository, tag)
    said = raw.api.push(repository, tag, auth_config=access.auth_config if access else {}, stream=True, decode=True)
    assert not [message for message in said if "error" in message]
    raw.images.remove(name)


@contextmanager
def seen_by_all(directory: Path, engine: DockerEngine, user: tuple[str, str]) -> Iterator[Registry]:
    """A registry that the engine reaches, and control workers, too. What is yielded is the engine's."""
    with (
        Registry(directory, engine, user=user) as inside,
        Registry(directory, None, user=user, port=inside.port),
    ):
        yield inside
