"""When this host was last heard by the job store, kept on disk: a restart of its processes does not forget it."""

from __future__ import annotations

import logging
import os
from contextlib import suppress
from pathlib import Path

from workers import clock

log = logging.getLogger(__name__)

BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


class Pulse:
    """The agent beats it with every heartbeat that the store answered; whoever watches over the host reads it."""

    def __init__(self, data_dir: Path) -> None:
        self._path = data_dir / "pulse"
        self._boot = BOOT_ID.read_text().strip()
        self._began = clock.elapsed()
        self._last: float | None = None

    def beat(self, asked: float) -> None:
        """The store answered a heartbeat that was sent at `asked`, by this machine's clock (clock.elapsed)."""
        self._last = asked
        record = f"{self._boot} {asked:015.3f}\n".encode()
        try:
            # Over what stands there, of the same length: a disk that is full has room for that.
            file = os.open(self._path, os.O_WRONLY | os.O_CREAT, 0o644)
            try:
                os.pwrite(file, record, 0)
            finally:
                os.close(file)
        except OSError as error:
            # This process remembers, and its host keeps its lease.
            log.warning("%s could not be written: %s", self._path, error)

    def silence_s(self) -> float:
        """Seconds since the last heartbeat that was answered, or since this process began if none is known.

        One of before a reboot does not count: nothing of that time runs any more.
        """
        known = [self._last] if self._last is not None else []
        with suppress(OSError, ValueError):
            boot, _, at = self._path.read_text().partition(" ")
            if boot == self._boot:
                known.append(float(at))
        return max(0.0, clock.elapsed() - (max(known) if known else self._began))
