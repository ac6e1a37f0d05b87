"""Sends new lines of a spool to the job store, where whoever follows a log reads them."""

from __future__ import annotations

from aitrain.settings import LogSettings
from aitrain.store import Store
from workers.joblog.spool import Spool

# Of text in one call, so that a chatty job does not hold up the others' calls.
BATCH_BYTES = 256 * 1024


def send_new(store: Store, spool: Spool, settings: LogSettings, first: int | None = None) -> int | None:
    """Sends the lines from number `first` on that the store has not had; from which one it lacks them afterwards.

    first: as this returned it; None: the store is asked. None is returned if the store does not know the attempt.
    """
    if first is None:
        stand = store.log_stand(spool.job_id, spool.fence)
        if not stand.known:
            return None
        first = stand.next
    while True:
        start, lines = spool.read(first, BATCH_BYTES)
        if not lines:
            return first
        stand = store.append_log(
            spool.job_id, spool.fence, first=start, lines=lines, ring_bytes=settings.ring_bytes,
            kept=settings.container is not None,
        )  # fmt: skip
        if not stand.known:
            return None
        first = stand.next
