"""Brings waiting jobs and free units together. Run by whoever changes either: a submission, a job's end, a new host.

One pass is at work at a time: who comes meanwhile has it look once more. That is for economy only, since the store
commits each assignment exactly or not, so two passes at once would do no harm.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence

from aitrain.broker import Broker, host_queue
from aitrain.domain.errors import BrokerUnavailable
from aitrain.domain.placement import Assignment, Plan, place
from aitrain.domain.states import STATES, State
from aitrain.settings import Settings
from aitrain.store import Moved, Store, token

log = logging.getLogger(__name__)

# Looks of one pass that place nothing; beat's sweep is there for the rest.
MOST_IDLE_LOOKS = 20


class Dispatcher:
    """Places waiting jobs and sends their first messages; on a host that may not, has control workers do it."""

    def __init__(self, settings: Settings, store: Store, broker: Broker) -> None:
        self._places = settings.host.places_jobs
        self._rules = settings.timing.placement
        self._lease_ms = int(settings.timing.placement_lease_seconds * 1000)
        self._store, self._broker = store, broker

    def place_waiting(self) -> int:
        """Places what can be placed now; how many jobs that were.

        0, too, if another pass is at work, or a control worker is asked for one: it does it.
        """
        if not self._places:
            self._ask()
            return 0
        holder, messages = token(), _Messages(self._broker)
        placed = idle = 0
        while idle < MOST_IDLE_LOOKS and self._store.begin_pass(holder, self._lease_ms):
            plan = place(self._store.placement_view(self._rules), self._rules)
            taken = self._commit(plan, messages)
            placed += taken
            idle += not taken
            # What was refused had changed since the look: there may be something else to place.
            if not plan.assignments and self._store.end_pass(holder):
                return placed
        self._store.end_pass(holder)
        return placed

    def _ask(self) -> None:
        try:
            self._broker.send_placement()
        except BrokerUnavailable as error:
            log.warning("no control worker could be asked to place jobs, beat's sweep will: %s", error)

    def after(self, moved: Moved, to: State) -> None:
        """Called after a move: a job that gave its units back may let others start."""
        if moved.moved and moved.waiting and not STATES[to].holds_units:
            self.place_waiting()

    def _commit(self, plan: Plan, messages: _Messages) -> int:
        """Commits what was decided, and sends the messages of what became of it; how many jobs were placed.

        What goes to a host before it is kept is committed before it is, and the rest after.
        """
        taken = self._assign([one for one in plan.assignments if not one.despite], messages)
        for keep in plan.keeps:
            if self._store.keep_host(keep):
                log.info(
                    "host %s is kept for job %s, which has waited for its patience", keep.host, keep.job_id,
                    extra={"job": keep.job_id},
                )  # fmt: skip
        return taken + self._assign([one for one in plan.assignments if one.despite], messages)

    def _assign(self, assignments: Sequence[Assignment], messages: _Messages) -> int:
        fences = self._store.assign_many(assignments)
        begun = [(one, fence) for one, fence in zip(assignments, fences, strict=True) if fence is not None]
        for assignment, fence in begun:
            messages.send(assignment, fence)
        return len(begun)


class _Messages:
    """Sends the first messages of jobs. Once the broker does not answer, no more time is spent on it."""

    def __init__(self, broker: Broker) -> None:
        self._broker, self._answers = broker, True

    def send(self, assignment: Assignment, fence: str) -> None:
        """Sends a job's chain to its host."""
        if not self._answers:
            return
        queue = host_queue(assignment.kind, assignment.flavor, assignment.host)
        try:
            self._broker.send_chain(assignment.job_id, fence, queue, assignment.project)
        except BrokerUnavailable as error:
            # The job is placed; its agent finds the step silent and sends the message again.
            log.warning(
                "job %s is placed on %s, its message was not sent: %s", assignment.job_id, queue, error,
                extra={"job": assignment.job_id},
            )  # fmt: skip
            self._answers = False
