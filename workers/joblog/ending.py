"""The end of an attempt's log."""

from __future__ import annotations

from workers.joblog.following import follow
from workers.joblog.shipping import send_new
from workers.joblog.spool import Spool
from workers.machine import Machine
from workers.runtime import Container

# The agent's follower ends with the container; it has at most its last lines to write down.
LOCK_SECONDS = 30.0


def keep_end(machine: Machine, container: Container, project: str) -> None:
    """Takes what the container wrote and nobody has read into its spool, sends it to the store, and ends the log.

    The agent uploads it from there. Raises SpoolBusy, OSError, and what the engine and the store raise.
    """
    logs, store = machine.settings.logs, machine.store
    spool = Spool(machine.settings.host.data_dir, container.job_id, container.fence)
    try:
        spool.lock(
            project=project, segment_bytes=logs.segment_bytes, spool_bytes=logs.spool_bytes, wait_seconds=LOCK_SECONDS
        )
        follow(machine.engine, container, spool, None, lambda: False)
        send_new(store, spool, logs)
        store.end_log(spool.job_id, spool.fence, total=spool.next)
        spool.mark_ended()
    finally:
        spool.close()
