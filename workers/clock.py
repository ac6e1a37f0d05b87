"""This machine's own clock: ms since it started. Nobody sets it, and it goes on while the machine sleeps."""

from __future__ import annotations

import time
from dataclasses import dataclass
from functools import cache
from pathlib import Path


@dataclass(frozen=True)
class Instant:
    """One moment by both clocks, in ms. own: since this machine started; unix: by the clock that can be set."""

    own: int
    unix: int


def elapsed() -> float:
    """Seconds since this machine started."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


def now() -> Instant:
    """This moment."""
    return Instant(round(1000 * elapsed()), round(1000 * time.time()))


def booted_ms() -> int:
    """When this machine started, in Unix ms."""
    return round((time.time() - elapsed()) * 1000)


@cache
def boot_id() -> str:
    """An id of this start of the machine: what was read of its own clock means nothing after the next one."""
    return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
