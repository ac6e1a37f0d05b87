"""The end of an attempt's log."""

from __future__ import annotations

from aitrain.domain.job import Job
from workers.joblog.following import follow
from workers.joblog.opening import open_spool
from workers.joblog.shipping import Shipper
from workers.joblog.spool import Spool
from workers.machine import Machine
from workers.runtime import Container

# The agent's follower ends with the container; it has at most its last lines to write down.
LOCK_SECONDS = 30.0


def keep_end(machine: Machine, job: Job, container: Container | None) -> None:
    """Takes what the container wrote and nobody has read into its spool, sends it to the store, and ends the log.

    container: None: it is gone, and what it wrote last may be, too. The agent uploads the spool from there. Does
    nothing for a log that has ended and left its spool. Raises SpoolBusy, OSError, and what the engine and the store
    raise.
    """
    if not Spool(machine.settings.host.data_dir, job.id, job.fence).exists:
        stand = machine.store.log_stand(job.id, job.fence)
        nothing_ran = container is None and job.started_ms is None and not stand.next
        if not stand.known or stand.total is not None or nothing_ran:
            return
    spool = open_spool(machine, job.id, job.fence, job.project, wait_seconds=LOCK_SECONDS)
    try:
        complete = container is not None or spool.ended
        if container is not None:
            follow(machine.engine, container, spool, None, lambda: False)
        _end(machine, spool, complete=complete)
    finally:
        spool.close()


def end_unread(machine: Machine, job: Job) -> None:
    """Says that the end of a log could not be read, so that its readers do. Raises StoreUnavailable."""
    stand = machine.store.log_stand(job.id, job.fence)
    if stand.known and stand.total is None:
        machine.store.end_log(job.id, job.fence, total=stand.next, complete=False)


def end_left(machine: Machine, spool: Spool) -> None:
    """Ends the log of an attempt that is over and that nobody has ended: of a host that was lost, or one that failed.

    Raises SpoolBusy, OSError and StoreUnavailable.
    """
    told = machine.store.log_state(spool.job_id, spool.attempt)
    locked = open_spool(machine, spool.job_id, spool.fence, "")
    try:
        # Its lines were read while the container ran; who ended it said whether that was all.
        _end(machine, locked, complete=told.total is not None and told.complete)
    finally:
        locked.close()


def _end(machine: Machine, spool: Spool, *, complete: bool) -> None:
    Shipper(machine.store, spool, machine.settings.logs).send()
    machine.store.end_log(spool.job_id, spool.fence, total=spool.next, complete=complete)
    spool.mark_ended()
