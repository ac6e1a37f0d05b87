"""When the units of a host come free, by the deadlines of the jobs that hold them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from math import inf


@dataclass(frozen=True)
class Release:
    """Units that a job gives back. in_s: seconds from now at the latest; None: it has no deadline, so nobody knows."""

    units: int
    in_s: float | None


def units_free_at(free: int, releases: Iterable[Release]) -> list[float]:
    """In how many seconds each unit of a host is free, the first ones first; infinity where nobody knows."""
    held = [inf if release.in_s is None else release.in_s for release in releases for _ in range(release.units)]
    return [0.0] * free + sorted(held)


def free_in_s(free: int, releases: Iterable[Release], units: int) -> float | None:
    """In how many seconds a host with so many free units has `units` of them; None: nobody knows, or never."""
    free_at = units_free_at(free, releases)
    return free_at[units - 1] if len(free_at) >= units and free_at[units - 1] < inf else None
