"""Sends new lines of a spool to the job store, where whoever follows a log reads them."""

from __future__ import annotations

from aitrain.settings import LogSettings
from aitrain.store import Store
from workers.joblog.spool import Spool

# Of text in one call, so that a chatty job does not hold up the others' calls.
BATCH_BYTES = 256 * 1024


class Shipper:
    """Of one spool. It remembers how far it is: what was sent is not read again."""

    def __init__(self, store: Store, spool: Spool, settings: LogSettings) -> None:
        self._store, self._spool, self._settings = store, spool, settings
        self._first: int | None = None

    def send(self) -> None:
        """Sends the lines that the store has not had, as far as it takes lines of this attempt. Raises OSError and
        StoreUnavailable.
        """
        spool = self._spool
        if self._first is None:
            stand = self._store.log_stand(spool.job_id, spool.fence)
            if not stand.known:
                return
            self._first = stand.next
        while True:
            start, lines = spool.read(self._first, BATCH_BYTES)
            if not lines:
                return
            stand = self._store.append_log(
                spool.job_id, spool.fence, first=start, lines=lines, ring_bytes=self._settings.ring_bytes,
                kept=self._settings.container is not None,
            )  # fmt: skip
            if not stand.known:
                self._first = None
                return
            # A store that lost its last second takes these all the same, and the gap before them stays one.
            self._first = stand.next
