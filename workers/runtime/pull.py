"""Questions to a registry, through the engine: to pull an image, or whether it may be had.

Each in a thread of its own: the engine may say nothing for long, and a step must hear its orders.
"""

from __future__ import annotations

import math
import threading
from abc import ABC, abstractmethod
from typing import Any

import docker
from docker.errors import APIError

from aitrain.domain.errors import AitrainError
from aitrain.domain.imagename import ImageName
from workers.runtime.faults import engine_errors, explanation

AFTERWARDS_SECONDS = 60


class RegistryRequest(ABC):
    """Starts at once."""

    doing = "ask a registry"

    def __init__(self, docker_url: str, image: str, auth_config: dict[str, Any], limit_s: float) -> None:
        """auth_config: shown to this registry for this request, {} for none; kept nowhere. limit_s: seconds after
        which whoever waits gives up.
        """
        self._docker_url, self._image, self._auth, self.limit_s = docker_url, image, auth_config, limit_s
        self._failure: AitrainError | None = None
        self.refusal = ""
        self._given_up = False
        self._thread = threading.Thread(target=self._run, name="pull", daemon=True)
        self._thread.start()

    def wait(self, seconds: float) -> bool:
        """Waits; whether it has ended. Then `refusal` is empty, or says why the image cannot be had.

        Raises EngineUnavailable if the engine broke off.
        """
        self._thread.join(seconds)
        if self._failure is not None:
            raise self._failure
        return not self._thread.is_alive()

    def give_up(self) -> None:
        """Breaks the connection off when the engine next says something, which ends the request there."""
        self._given_up = True

    def _run(self) -> None:
        try:
            with engine_errors(self.doing):
                # The engine is silent while the registry is. Whoever waits has given up by then.
                patience_s = math.ceil(self.limit_s) + AFTERWARDS_SECONDS
                client = docker.DockerClient(base_url=self._docker_url, timeout=patience_s)
                try:
                    self._ask(client.api)
                except APIError as error:
                    self.refusal = explanation(error)
                finally:
                    client.close()
        except AitrainError as error:
            self._failure = error

    @abstractmethod
    def _ask(self, api: Any) -> None:
        """Asks, and sets `refusal` if it is refused."""


class Pull(RegistryRequest):
    """Pulls an image."""

    doing = "pull the image"

    def _ask(self, api: Any) -> None:
        name = ImageName.of(self._image)
        # The SDK's images.pull hides errors that come after the first bytes; the stream tells them.
        stream = api.pull(name.full, tag=name.version, stream=True, decode=True, auth_config=self._auth)
        for message in stream:
            if self._given_up:
                return
            if "error" in message:
                self.refusal = str(message["error"])
                return


class Inquiry(RegistryRequest):
    """Asks the registry whether the image may be had, and pulls nothing."""

    doing = "ask the registry for the image"

    def _ask(self, api: Any) -> None:
        api.inspect_distribution(self._image, auth_config=self._auth)
