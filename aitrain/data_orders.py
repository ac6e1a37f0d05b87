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
    """The part of the client that orders copies of a job's data, and waits for what becomes of them."""

    _store: Store
    _broker: Broker

    def retry_push(self, job_id: str, *, by: str = "") -> Ordered:
        """Has results that could not be pushed (ERROR, JOB_SYNC_FAILED) pushed again from their host.

        The job is FINALIZING again and then ends as its first cause says; nothing is billed, and it does not run again.
        done=False in the answer: it is "alive"; there is "nothing" to push; they are "expired", that is, removed after
        their time; its host is "away", or "replaced" by another machine of its name. Raises JobNotFound.
        """
        answer = self._store.retry_push(job_id, f"to be pushed again, by {by}" if by else "to be pushed again")
        if answer.done:
            self._hint(
                job_id, lambda job, queue: self._broker.send_step(Step.SYNC_OUT, job_id, job.fence, queue, job.project)
            )
        return answer

    def push_data(
        self,
        job_id: str,
        mount_path: str | None = None,
        *,
        dry_run: bool = False,
        wait: float | None = None,
        by: str = "",
        on_progress: Callable[[Job], None] | None = None,
    ) -> Ordered:
        """Copies what a RUNNING job has written so far to its data store. Nothing is deleted there.

        mount_path: of one writable volume, every one if not given; dry_run: only tell what would be copied; wait: at
        most so many seconds for its end, for ever if not given, 0 not at all; on_progress: as of wait(). The answer's
        `copy` says what was done, or why it failed; the job goes on either way. done=False: the job is "not_running",
        or another copy is open, the job is "busy". Raises InvalidInput for a volume that is not written to, JobNotFound
        and WaitTimeout.
        """
        order = CopyOrder(Direction.PUSH, mount_path or "", dry_run, by)
        return self._copy(job_id, order, wait, on_progress)

    def pull_data(
        self,
        job_id: str,
        mount_path: str | None = None,
        *,
        dry_run: bool = False,
        wait: float | None = None,
        by: str = "",
        on_progress: Callable[[Job], None] | None = None,
    ) -> Ordered:
        """Copies what is new in the data store into the volumes of a RUNNING job.

        What the job itself changed is kept, and nothing is deleted. All else as in push_data, but that ro volumes are
        pulled, too.
        """
        order = CopyOrder(Direction.PULL, mount_path or "", dry_run, by)
        return self._copy(job_id, order, wait, on_progress)

    def last_copy(self, job_id: str) -> DataCopy | None:
        """The order to push or pull data that was given to a job last, open or over; None if there was none."""
        return self._store.last_copy(job_id)

    def _copy(
        self, job_id: str, order: CopyOrder, wait: float | None, on_progress: Callable[[Job], None] | None
    ) -> Ordered:
        copied_volumes(self._store.get(job_id), order.direction, order.mount_path)
        answer = self._store.order_copy(
            job_id, order.direction, mount_path=order.mount_path, dry_run=order.dry_run, by=order.by
        )
        given = answer.copy
        if not answer.done or given is None:
            return answer
        self._hint(job_id, lambda job, queue: self._broker.send_copy(job_id, given.fence, given.id, queue, job.project))
        return answer if wait == 0 else replace(answer, copy=self._wait_copied(job_id, given, wait, on_progress))

    def _wait_copied(
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
