"""The broker of a simulation: messages reach the simulated host of their queue."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from aitrain.broker import Broker
from aitrain.domain.states import Step
from workers.simulation.timeline import Timeline


class Messages(Broker):
    """Delivers at once. Whoever takes a message takes the whole chain with it."""

    def __init__(self, timeline: Timeline, hosts: Mapping[str, Callable[[Step, str, str], None]]) -> None:
        """hosts: who takes a step's message, by the host's name."""
        self._timeline, self._hosts = timeline, hosts

    def send_chain(self, job_id: str, fence: str, queue: str, project: str = "") -> None:
        """To the worker of the queue's host."""
        self.send_step(Step.SYNC_IN, job_id, fence, queue, project)

    def send_step(self, step: Step, job_id: str, fence: str, queue: str, project: str = "") -> None:
        """To the worker of the queue's host."""
        take = self._hosts[queue.split(".", 2)[2]]
        self._timeline.after(0, lambda: take(step, job_id, fence))
