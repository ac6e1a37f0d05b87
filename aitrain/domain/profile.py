"""When the units of a host come free, by the deadlines of the jobs that hold them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class Release:
    """Units that a job gives back. in_s: seconds from now at the latest; None: it has no deadline, so nobody knows."""

    units: int
    in_s: float | None


def free_in_s(free: int, releases: Iterable[Release], units: int) -> float | None:
    """In how many seconds a host with so many free units has `units` of them; None: nobody knows, or never."""
    known = sorted((release.in_s, release.units) for release in releases if release.in_s is not None)
    for in_s, given_back in [(0.0, 0), *known]:
        free += given_back
        if free >= units:
            return in_s
    return None
