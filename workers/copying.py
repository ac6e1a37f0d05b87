"""Copies of a running job's data that somebody ordered: takes the lease, copies, tells the store how it went.

The job knows nothing of it: its state, its bill and its step's lease are not touched, and a copy that fails does not
end it.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence

from aitrain.broker import COPY_TASK
from aitrain.domain.copying import CopyState, DataCopy, copied_volumes
from aitrain.domain.errors import InvalidInput, JobFault, StepCancelled, Unavailable
from aitrain.domain.job import Direction, VolumeProgress
from aitrain.domain.states import InfoCode
from aitrain.store import CopyLease
from workers import clock
from workers.about import about_job
from workers.datasync import VolumeSync
from workers.leases import LeaseKeeper
from workers.machine import Machine
from workers.step import Visit

log = logging.getLogger(__name__)

PREVIEW_LINES = 1000


class Copies:
    """Runs ordered copies in one worker."""

    def __init__(self, machine: Machine) -> None:
        self._machine = machine
        self._keeper = LeaseKeeper(machine.store.renew_copies, machine.settings.timing)

    def give_up(self, why: str) -> int:
        """Has all copies stop where they may; how many there are. They are begun again, by any worker."""
        return self._keeper.give_up(why)

    def run(self, job_id: str, fence: str, copy_id: str) -> str:
        """Does one order for one message; a word on how it went, for Flower.

        Unavailable is let through: then nothing is known, the lease lapses, and the message is sent again.
        """
        with about_job(job_id, fence, COPY_TASK):
            return self._run(job_id, fence, copy_id)

    def _run(self, job_id: str, fence: str, copy_id: str) -> str:
        store, host = self._machine.store, self._machine.settings.host.name
        lease, asked = CopyLease(job_id, fence, copy_id, self._keeper.holder()), clock.elapsed()
        begun = store.begin_copy(lease, self._keeper.ttl_ms, host, self._machine.instance)
        if begun is None:
            return "late: the order is over, or another worker is at it"
        with self._keeper.holding(lease, asked) as claim:
            visit = Visit(self._machine, begun.job, claim)
            try:
                summary, lines = _copy(visit, begun.copy)
            except StepCancelled as late:
                return f"given up: {late}"
            except Unavailable:
                raise
            except (JobFault, InvalidInput) as fault:
                return self._failed(lease, str(fault), fault.code if isinstance(fault, JobFault) else None)
            except Exception as error:
                log.exception("job %s: the copy of its data failed unforeseen", job_id)
                return self._failed(lease, f"{type(error).__name__}: {error}", InfoCode.JOB_ERROR)
            store.end_copy(lease, CopyState.DONE, summary=summary, lines=lines)
        return "done"

    def _failed(self, lease: CopyLease, error: str, code: InfoCode | None) -> str:
        log.warning("job %s: its data was not copied: %s", lease.job_id, error)
        self._machine.store.end_copy(lease, CopyState.FAILED, error=error, code=code)
        return f"failed: {code}"


def _copy(visit: Visit, order: DataCopy) -> tuple[str, Sequence[str]]:
    """Copies the volumes that an order is about, or looks what that would do; what was done, and in which files."""
    wanted = copied_volumes(visit.job, order.direction, order.mount_path)
    every = visit.volumes()
    volumes = [(volume, sync) for volume, sync in (every[n] for n in wanted) if isinstance(sync, VolumeSync)]
    told: list[str] = []
    lines: list[str] = []

    def work() -> None:
        for _, sync in volumes:
            sync.check()
        for volume, sync in volumes:
            if order.dry_run:
                preview = sync.preview(order.direction, running=True)
                told.append(f"{volume.mount_path}: {preview.summary}")
                lines.extend(preview.lines[: PREVIEW_LINES - len(lines)])
            else:
                visit.progress.pop(volume.mount_path, None)  # of the copy before
                _bring(sync, order.direction)
                told.append(f"{volume.mount_path}: {_done(visit.progress.get(volume.mount_path))}")

    visit.abandonable(work)
    return "; ".join(told), lines


def _bring(sync: VolumeSync, direction: Direction) -> None:
    if direction is Direction.PULL:
        sync.pull(running=True)
    else:
        sync.push(running=True)


def _done(now: VolumeProgress | None) -> str:
    if now is None:
        return "nothing to do"
    return f"{now.completed} files of {now.bytes} bytes copied, {now.skipped} skipped"
