"""A simulated container engine, behind the runtime's interface: containers that end when their time is up."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from workers.runtime import Container, Ending, Engine, container_name
from workers.simulation.timeline import Timeline

# As engines say of a container that a crash took along.
CRASHED = 255


@dataclass(frozen=True)
class Command:
    """What a container's command will do. run_ms: how long it runs; exit_code: how it ends."""

    run_ms: int
    exit_code: int


class SimulatedEngine(Engine):
    """The engine of one host, as far as agents use one."""

    def __init__(self, timeline: Timeline, died: Callable[[str], None]) -> None:
        """died: called with the id of each container that ends."""
        self._timeline, self._died = timeline, died
        self._containers: dict[str, Container] = {}
        self._crashed: set[str] = set()

    def run(self, job_id: str, attempt: int, fence: str, command: Command) -> Container:
        """Creates and starts the container of an attempt; one that is there already is left as it is."""
        name = container_name(job_id, attempt)
        held = self._containers.get(name)
        if held is not None and held.fence == fence:
            return held
        now_ms = self._timeline.now_ms
        started = Container(name, name, job_id, fence, True, now_ms, None, None, False, "sha256:simulated")
        self._containers[name] = started
        self._timeline.after(command.run_ms, lambda: self._end(name, fence, command.exit_code))
        return started

    def containers(self) -> list[Container]:
        """All of them."""
        return list(self._containers.values())

    def find(self, container_id: str) -> Container | None:
        """One by its name, which is its id here."""
        return self._containers.get(container_id)

    def live_restore(self) -> bool:
        """They outlive the engine, as on a host that is set up well."""
        return True

    def image_digest(self, container: Container) -> str:
        """Its images come from nowhere."""
        return ""

    def ending(self, container: Container) -> Ending:
        """Nobody saw the end of what a crash took along."""
        return Ending.UNSEEN if container.id in self._crashed else Ending.OWN

    def stop(self, container: Container, grace_seconds: float) -> None:
        """It ends at once: simulated commands handle SIGTERM."""
        self._end(container.id, container.fence, 0)

    def remove(self, container: Container) -> None:
        """Forgets it."""
        self._containers.pop(container.id, None)
        self._crashed.discard(container.id)

    def crash(self) -> None:
        """The machine goes down, and all containers with it."""
        for container in self._containers.values():
            if container.running:
                self._containers[container.id] = self._ended(container, CRASHED)
                self._crashed.add(container.id)

    def _end(self, name: str, fence: str, exit_code: int) -> None:
        container = self._containers.get(name)
        if container is not None and container.running and container.fence == fence:
            self._containers[name] = self._ended(container, exit_code)
            self._died(name)

    def _ended(self, container: Container, exit_code: int) -> Container:
        return replace(container, running=False, finished_ms=self._timeline.now_ms, exit_code=exit_code)
