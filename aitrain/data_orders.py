"""Orders on a job's data: pushing results again, and copying while it runs. The client's part of them.

An order is a fact in the job store; the message that is sent along only makes it known at once. If that is lost, the
job's host finds the order, and sends it again.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace

from aitrain.broker import Broker, host_queue
from aitrain.domain.copying import DataCopy, copied_volumes
from aitrain.domain.errors import BrokerUnavailable, JobNotFound, StoreUnavailable, WaitTimeout
from aitrain.domain.job import Direction, Job
from aitrain.domain.states import Step
from aitrain.store import Ordered, Store

# How often whoever waits for a job looks at it.
POLL_SECONDS = 0.2


@dataclass(frozen=True)
class CopyOrder:
    """What is to be copied. mount_path: of one volume, "" for every one that fits; by: who ordered it."""

    direction: Direction
    mount_path: str
    dry_run: bool
    by: str


class DataOrders:
    """Gives the orders, and waits for what becomes of them. Its methods are described at Client."""

    def __init__(self, store: Store, broker: Broker) -> None:
        self._store, self._broker = store, broker

    def retry_push(self, job_id: str, by: str) -> Ordered:
        """See Client.retry_push."""
        answer = self._store.retry_push(job_id, f"to be pushed again, by {by}" if by else "to be pushed again")
        if answer.done:
            self._hint(
                job_id, lambda job, queue: self._broker.send_step(Step.SYNC_OUT, job_id, job.fence, queue, job.project)
            )
        return answer

    def copy(
        self, job_id: str, order: CopyOrder, wait: float | None, on_progress: Callable[[Job], None] | None
    ) -> Ordered:
        """See Client.push_data."""
        copied_volumes(self._store.get(job_id), order.direction, order.mount_path)
        answer = self._store.order_copy(
            job_id, order.direction, mount_path=order.mount_path, dry_run=order.dry_run, by=order.by
        )
        given = answer.copy
        if not answer.done or given is None:
            return answer
        self._hint(job_id, lambda job, queue: self._broker.send_copy(job_id, given.fence, given.id, queue, job.project))
        return answer if wait == 0 else replace(answer, copy=self._wait(job_id, given, wait, on_progress))

    def _wait(
        self, job_id: str, copy: DataCopy, wait: float | None, on_progress: Callable[[Job], None] | None
    ) -> DataCopy:
        deadline = None if wait is None else time.monotonic() + wait
        while not copy.over:
            if deadline is not None and time.monotonic() >= deadline:
                raise WaitTimeout(f"the {copy.direction} of job {job_id} is {copy.state} after {wait} s; it goes on")
            time.sleep(POLL_SECONDS)
            now = self._store.last_copy(job_id)
            if now is None:
                raise JobNotFound(job_id)
            if now.id != copy.id:  # it was over in time for the next one
                return copy
            copy = now
            if on_progress is not None:
                on_progress(self._store.get(job_id))
        return copy

    def _hint(self, job_id: str, send: Callable[[Job, str], None]) -> None:
        with suppress(StoreUnavailable, BrokerUnavailable, JobNotFound):
            job = self._store.get(job_id)
            send(job, host_queue(job.kind, job.flavor, job.host))
