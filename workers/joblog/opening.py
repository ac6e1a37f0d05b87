"""Takes up the log of an attempt on this host."""

from __future__ import annotations

from itertools import pairwise

from workers.joblog.spool import Spool
from workers.machine import Machine


def open_spool(machine: Machine, job_id: str, fence: str, project: str, *, wait_seconds: float = 0) -> Spool:
    """The spool of an attempt, locked. project: of the job, empty if it is not known.

    One that was removed, with lines of it sent before, goes on behind those: from line 0 on, the numbers of its lines
    would be wrong as soon as the engine has dropped the first ones. Raises SpoolBusy if somebody else writes it for
    longer than wait_seconds, OSError and StoreUnavailable.
    """
    logs = machine.settings.logs
    spool = Spool(machine.settings.host.data_dir, job_id, fence)
    spool.lock(
        project=project, segment_bytes=logs.segment_bytes, spool_bytes=logs.spool_bytes, wait_seconds=wait_seconds
    )
    try:
        if spool.next == 0:
            _take_up(machine, spool)
    except BaseException:
        spool.close()
        raise
    return spool


def _take_up(machine: Machine, spool: Spool) -> None:
    """Puts the newest lines that the store has into an empty spool: by these the place in the engine's log is found."""
    stand = machine.store.log_stand(spool.job_id, spool.fence)
    if not stand.known or not stand.next:
        return
    ring = machine.store.log_ring(spool.job_id, spool.attempt)
    gaps = [number for number, ((before, _), (after, _)) in enumerate(pairwise(ring), 1) if after != before + 1]
    ring = ring[gaps[-1] if gaps else 0 :]
    chunks = machine.store.log_state(spool.job_id, spool.attempt).chunks
    # What the object store does not have is to be uploaded from here.
    uploaded = chunks[-1][0] + chunks[-1][1] if chunks else 0
    spool.take_up(
        stand.next,
        [line for number, line in ring if number < uploaded],
        [line for number, line in ring if number >= uploaded],
    )
