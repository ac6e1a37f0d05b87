"""Brings waiting jobs and free units together. Run by whoever changes either: a submission, a job's end, a new host."""

from __future__ import annotations

import logging

from aitrain.broker import Broker, host_queue
from aitrain.domain.errors import BrokerUnavailable
from aitrain.domain.placement import Assignment, place
from aitrain.domain.states import STATES, State
from aitrain.settings import Settings
from aitrain.store import Moved, Store

log = logging.getLogger(__name__)

# How far down each flavor's queue one pass looks for jobs that fit.
WINDOW = 200
# A pass whose every assignment was taken by another's pass looks again; others then made the progress.
MOST_ROUNDS = 20


class Dispatcher:
    """Places waiting jobs and sends their first messages."""

    def __init__(self, settings: Settings, store: Store, broker: Broker) -> None:
        self._patience_s = settings.timing.placement_patience_seconds
        self._store, self._broker = store, broker

    def place_waiting(self) -> int:
        """Places what can be placed now; how many jobs that were."""
        placed, answers = 0, True
        for _ in range(MOST_ROUNDS):
            waiting, vacancies = self._store.placement_view(WINDOW)
            assignments = place(waiting, vacancies, self._patience_s)
            taken = 0
            for assignment in assignments:
                fence = self._store.assign(assignment)
                if fence is not None:
                    taken += 1
                    answers = answers and self._send(assignment, fence)
            placed += taken
            if taken == len(assignments) < WINDOW:
                break
        return placed

    def after(self, moved: Moved, to: State) -> None:
        """Called after a move: a job that gave its units back may let others start."""
        if moved.moved and moved.waiting and not STATES[to].holds_units:
            self.place_waiting()

    def _send(self, assignment: Assignment, fence: str) -> bool:
        """Sends a job's chain; False if the broker does not answer, so that no more time is spent on it."""
        queue = host_queue(assignment.kind, assignment.flavor, assignment.host)
        try:
            self._broker.send_chain(assignment.job_id, fence, queue)
        except BrokerUnavailable as error:
            # The job is placed; its agent finds the step silent and sends the message again.
            log.warning("job %s is placed on %s, its message was not sent: %s", assignment.job_id, queue, error)
            return False
        return True
