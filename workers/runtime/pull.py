"""A pull in a thread of its own: the engine may say nothing for long, and a step must hear its orders."""

from __future__ import annotations

import threading

import docker
from docker.errors import APIError

from aitrain.domain.errors import AitrainError
from workers.runtime.faults import engine_errors, explanation


class Pull:
    """Starts at once."""

    def __init__(self, docker_url: str, repository: str, tag: str) -> None:
        """tag: or a digest."""
        self._docker_url, self._repository, self._tag = docker_url, repository, tag
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
        """Breaks the connection off when the engine next says something, which ends the pull there."""
        self._given_up = True

    def _run(self) -> None:
        try:
            with engine_errors("pull the image"):
                client = docker.DockerClient(base_url=self._docker_url)
                try:
                    # The SDK's images.pull hides errors that come after the first bytes; the stream tells them.
                    for message in client.api.pull(self._repository, tag=self._tag, stream=True, decode=True):
                        if self._given_up:
                            return
                        if "error" in message:
                            self.refusal = str(message["error"])
                            return
                except APIError as error:
                    self.refusal = explanation(error)
                finally:
                    client.close()
        except AitrainError as error:
            self._failure = error
