"""What an engine did with the site's containers, as seen by somebody who stands beside it and knows no aitrain.

Two sources, since each misses something: the engine's events (lost when it restarts) and a look several times a second
(blind to what comes and goes between two looks).
"""

from __future__ import annotations

import threading
import time
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import docker
from docker.errors import APIError, DockerException, NotFound
from requests.exceptions import RequestException

from workers.runtime import Labels

LOOK_SECONDS = 0.25
AGAIN_SECONDS = 0.3
# An engine that stands still must not hold the witness for long.
ANSWER_SECONDS = 10
NANO_PER_MS = 1_000_000
GPU_VARIABLE = "NVIDIA_VISIBLE_DEVICES="
NO_GPU = "void"
BROKEN = (DockerException, RequestException, OSError, ValueError)


@dataclass(frozen=True)
class Ran:
    """One container that was seen. Times: Unix ms by the engine's clock.

    starts: every moment at which it started; finished_ms: None if nobody saw it end; alive_ms: when it was last seen
    running; exact: the engine said itself when it began and ended, rather than an event that came a little later.
    """

    host: str
    container: str
    job_id: str
    attempt: int
    fence: str
    starts: tuple[int, ...] = ()
    finished_ms: int | None = None
    alive_ms: int = 0
    exit_code: int | None = None
    gpus: tuple[str, ...] = ()
    exact: bool = True

    @property
    def until_ms(self) -> int:
        """Up to when it certainly ran."""
        return self.alive_ms if self.finished_ms is None else self.finished_ms


@dataclass
class _Seen:
    """What is known of one container so far."""

    labels: dict[str, str] = field(default_factory=dict)
    started: set[int] = field(default_factory=set)
    start_events: set[int] = field(default_factory=set)
    finished: int | None = None
    died: int | None = None
    alive: int = 0
    exit_code: int | None = None
    gpus: tuple[str, ...] = ()
    status: str = ""


class Witness:
    """Watches one engine."""

    def __init__(self, host: str, docker_url: str, namespace: str) -> None:
        self.host = host
        self._url = docker_url
        self._filter = f"{Labels.SITE}={namespace}"
        self._seen: dict[str, _Seen] = {}
        self._lock = threading.Lock()
        self._over = threading.Event()
        self._stream: Any = None

    def start(self) -> None:
        """Begins to watch."""
        for work in (self._look, self._listen):
            threading.Thread(target=work, name=f"witness-{self.host}", daemon=True).start()

    def stop(self) -> None:
        """Watches no more."""
        self._over.set()
        if self._stream is not None:
            with suppress(*BROKEN):
                self._stream.close()

    def left(self) -> list[str]:
        """Names of the site's containers that the engine has now. Raises an error of the docker SDK."""
        return [item["Names"][0].lstrip("/") for item in self._list(self._client())]

    def ran(self) -> list[Ran]:
        """What was seen so far."""
        with self._lock:
            return [self._ran(container, seen) for container, seen in self._seen.items() if seen.labels]

    def _ran(self, container: str, seen: _Seen) -> Ran:
        # Both sources tell the same starts, the events a little later: whichever saw more of them is right.
        starts = seen.started if len(seen.started) >= len(seen.start_events) else seen.start_events
        finished = seen.finished if seen.finished is not None else seen.died
        return Ran(
            host=self.host,
            container=container[:12],
            job_id=seen.labels.get(Labels.JOB, ""),
            attempt=int(seen.labels.get(Labels.ATTEMPT, "0")),
            fence=seen.labels.get(Labels.FENCE, ""),
            starts=tuple(sorted(starts)),
            finished_ms=finished,
            alive_ms=seen.alive,
            exit_code=seen.exit_code,
            gpus=seen.gpus,
            exact=bool(seen.started) and seen.finished is not None,
        )

    def _client(self) -> docker.APIClient:
        return docker.APIClient(base_url=self._url, timeout=ANSWER_SECONDS)

    def _list(self, client: docker.APIClient) -> list[dict[str, Any]]:
        listed: list[dict[str, Any]] = client.containers(all=True, filters={"label": self._filter})
        return listed

    def _look(self) -> None:
        client: docker.APIClient | None = None
        while not self._over.wait(LOOK_SECONDS):
            try:
                client = client or self._client()
                for item in self._list(client):
                    with self._lock:
                        known = self._seen.setdefault(item["Id"], _Seen()).status
                    # One that runs is looked at again and again: it may have been started a second time.
                    if known != item["State"] or known == "running":
                        self._inspect(client, item["Id"])
            except BROKEN:
                client = None
                self._over.wait(AGAIN_SECONDS)

    def _inspect(self, client: docker.APIClient, container: str) -> None:
        try:
            told = client.inspect_container(container)
        except NotFound:
            return
        except APIError:
            return  # it is going; its events have told the rest
        state, config = told["State"], told["Config"]
        started, finished = _ms(state["StartedAt"]), _ms(state["FinishedAt"])
        with self._lock:
            seen = self._seen.setdefault(container, _Seen())
            seen.labels = config.get("Labels") or {}
            seen.status = state["Status"]
            named = [text.removeprefix(GPU_VARIABLE) for text in config["Env"] if text.startswith(GPU_VARIABLE)]
            seen.gpus = tuple(gpu for text in named if text != NO_GPU for gpu in text.split(","))
            if started is not None:
                seen.started.add(started)
            if state["Running"]:
                seen.alive = int(time.time() * 1000)
            if started is not None and not state["Running"] and finished is not None:
                seen.finished, seen.exit_code = finished, int(state["ExitCode"])

    def _listen(self) -> None:
        since = 0
        while not self._over.is_set():
            try:
                client = self._client()
                self._stream = client.events(
                    since=since or None, filters={"label": self._filter, "type": "container"}, decode=True
                )
                for event in self._stream:
                    since = int(event["time"])
                    self._hear(client, event)
            except BROKEN:
                pass
            self._over.wait(AGAIN_SECONDS)

    def _hear(self, client: docker.APIClient, event: dict[str, Any]) -> None:
        container, at_ms = event["id"], event["timeNano"] // NANO_PER_MS
        with self._lock:
            seen = self._seen.setdefault(container, _Seen())
            seen.labels = seen.labels or dict(event["Actor"]["Attributes"])
            match event["Action"]:
                case "start":
                    seen.start_events.add(at_ms)
                case "die":
                    seen.died = at_ms
                    if seen.exit_code is None:
                        seen.exit_code = int(event["Actor"]["Attributes"].get("exitCode", "-1"))
                case _:
                    return
        self._inspect(client, container)


def _ms(text: str) -> int | None:
    """The engine's time as Unix ms; None for its year 1, which says that it has not happened."""
    moment = datetime.fromisoformat(text)
    return int(moment.timestamp() * 1000) if moment.year > 1 else None
