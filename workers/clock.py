"""This machine's own clock: seconds since it started. Nobody sets it, and it goes on while the machine sleeps."""

from __future__ import annotations

import time


def elapsed() -> float:
    """Seconds since this machine started."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


def booted_ms() -> int:
    """When this machine started, in Unix ms."""
    return round((time.time() - elapsed()) * 1000)
