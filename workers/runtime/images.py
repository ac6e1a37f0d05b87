"""The images of an engine, which all projects' jobs share: a job gets what its project may have, and no more.

What a project has pulled with its password lies on the host for whoever names it. So the engine is asked first under
which names it knows an image, and then the registry, with the right of this job's project, whether it may be had:

- an image that is not there is pulled;
- one that is there under the name's repository, which a registry gave, is asked after, and not pulled again;
- one that is there under the name, and of which no registry is known to have it, was made on the host (docker import,
  build, load): that is the operator's doing, and it is used as it is;
- one that is there under another name or by its id only is none of the job's: it is taken for absent.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

import docker
from docker.errors import ImageNotFound

from aitrain.domain.imagename import ImageName
from aitrain.domain.states import EndCause, InfoCode
from aitrain.settings import HostSettings
from workers.runtime.access import GetAccess, ImageAccess, Right
from workers.runtime.faults import ImageAbsent, engine_errors
from workers.runtime.pull import Inquiry, Pull, RegistryRequest
from workers.runtime.pullfaults import pull_fault

PULL_POLL_SECONDS = 0.2


@dataclass(frozen=True)
class _Held:
    """An image of the engine. from_registry: some registry is known to have it under the name's repository."""

    id: str
    from_registry: bool


class Images:
    """Of one engine. Safe to share between threads."""

    def __init__(self, settings: HostSettings, client: Callable[[], docker.DockerClient]) -> None:
        """client: gives the calling thread's connection."""
        self._settings, self._client = settings, client
        self._public_until: dict[tuple[str, str], float] = {}
        self._lock = threading.Lock()

    def obtain(self, image: str, access: GetAccess, checkpoint: Callable[[], None]) -> str:
        """The engine's id of an image that a project may use, pulled if it is absent.

        checkpoint: called several times a second; what it raises ends it. Raises UserFault if the image cannot be had,
        PlatformFault if its registry cannot be reached, and what `access` raises.
        """
        name = ImageName.of(image)
        held = self._find(image, name)
        if held is None:
            self.pull(image, access(), checkpoint)
            held = self._find(image, name)
        elif held.from_registry and not self._is_local(name):
            self._authorize(image, name, access(), checkpoint)
        if held is None:
            raise ImageAbsent(
                EndCause.ENGINE_FAULT, InfoCode.JOB_IMAGE_PULL, f"image {image!r} was removed as soon as it was pulled"
            )
        return held.id

    def pull(self, image: str, access: ImageAccess, checkpoint: Callable[[], None]) -> None:
        """Pulls an image. Raises as obtain does."""
        limit_s = self._settings.pull_timeout_seconds
        self._await(Pull(self._settings.docker_url, image, access.auth_config, limit_s), image, access, checkpoint)
        self._note_public(ImageName.of(image), access)

    def _authorize(self, image: str, name: ImageName, access: ImageAccess, checkpoint: Callable[[], None]) -> None:
        if access.right is Right.NOBODY and self._is_public(name):
            return
        limit_s = self._settings.registry_answer_seconds
        self._await(Inquiry(self._settings.docker_url, image, access.auth_config, limit_s), image, access, checkpoint)
        self._note_public(name, access)

    def _await(self, request: RegistryRequest, image: str, access: ImageAccess, checkpoint: Callable[[], None]) -> None:
        deadline = time.monotonic() + request.limit_s
        try:
            while not request.wait(PULL_POLL_SECONDS):
                checkpoint()
                if time.monotonic() > deadline:
                    raise pull_fault(image, f"it took longer than {request.limit_s:g} s", access)
        finally:
            request.give_up()
        if request.refusal:
            raise pull_fault(image, request.refusal, access)

    def _find(self, image: str, name: ImageName) -> _Held | None:
        client: Any = self._client()  # not all of it is typed
        with engine_errors("look for the image"):
            try:
                attrs = client.api.inspect_image(image)
            except ImageNotFound:
                return None
        digests = attrs.get("RepoDigests") or []
        # The engine also takes the beginning of an id for a name, whoever's image that is.
        if not name.is_among(attrs.get("RepoTags") or [], digests):
            return None
        return _Held(attrs["Id"], name.has_digest(digests))

    def _is_local(self, name: ImageName) -> bool:
        return any(fnmatchcase(name.familiar, pattern) for pattern in self._settings.local_images)

    def _is_public(self, name: ImageName) -> bool:
        with self._lock:
            return self._public_until.get((name.server, name.path), 0) > time.monotonic()

    def _note_public(self, name: ImageName, access: ImageAccess) -> None:
        """Whoever asks without a user sees the same; the answer holds for a while, for all projects."""
        if access.right is Right.NOBODY:
            with self._lock:
                until = time.monotonic() + self._settings.public_image_seconds
                self._public_until[name.server, name.path] = until
