"""What a site counts of its jobs: how the fields of the store's hash `counters` are named and read. Pure.

Only ever added to, by the script that makes a move, so they are exact and outlive every process.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

# Upper bounds of the classes of a duration, in seconds: from a job that is placed at once to a run of four weeks.
BOUNDS_SECONDS = (
    1, 2, 5, 10, 30, 60, 120, 300, 600, 1800, 3600, 10_800, 21_600, 43_200, 86_400, 259_200, 604_800, 2_419_200,
)  # fmt: skip
BEYOND = "inf"
WHOLE = re.compile(r"-?[0-9]{1,18}")


@dataclass
class Durations:
    """Durations of one kind. classes: how many were no longer than each of BOUNDS_SECONDS, and longer than the one
    before; last, those beyond all of them; sum_s: of all, in seconds.
    """

    classes: list[int] = field(default_factory=lambda: [0] * (len(BOUNDS_SECONDS) + 1))
    sum_s: float = 0.0

    @property
    def count(self) -> int:
        """How many."""
        return sum(self.classes)

    def cumulated(self) -> list[tuple[str, float]]:
        """The upper bound of each class as text, and how many were no longer than that."""
        told, below = [], 0
        for bound, count in zip([*map(float, BOUNDS_SECONDS), float("inf")], self.classes, strict=True):
            below += count
            told.append(("+Inf" if bound == float("inf") else str(bound), float(below)))
        return told


@dataclass
class Counters:
    """The counters of a site.

    moves: by state and info code; waits: by flavor; steps: by the word for a step; copied: by direction and what was
    counted; unit_minutes: by project and flavor.
    """

    moves: dict[tuple[str, str], int] = field(default_factory=dict)
    waits: dict[str, Durations] = field(default_factory=dict)
    steps: dict[str, Durations] = field(default_factory=dict)
    copied: dict[tuple[str, str], int] = field(default_factory=dict)
    unit_minutes: dict[tuple[str, str], int] = field(default_factory=dict)


def whole_numbers(fields: Mapping[str, str]) -> dict[str, int]:
    """The fields of a hash of whole numbers. What is none is left out.

    Every host may write here: one that is not itself any more shall lie about itself, and not blind whoever watches.
    """
    return {name: int(text) for name, text in fields.items() if WHOLE.fullmatch(text)}


def read_counters(fields: Mapping[str, str]) -> Counters:
    """The counters from the hash's fields. One that a newer version may have written is left out."""
    counters = Counters()
    for name, number in whole_numbers(fields).items():
        match name.split("/"):
            case ["move", state, code]:
                counters.moves[state, code] = number
            case ["wait", flavor, part]:
                _add(counters.waits.setdefault(flavor, Durations()), part, number)
            case ["step", step, part]:
                _add(counters.steps.setdefault(step, Durations()), part, number)
            case ["copy", direction, what]:
                counters.copied[direction, what] = number
            case ["minutes", project, flavor]:
                counters.unit_minutes[project, flavor] = number
    return counters


def _add(durations: Durations, part: str, number: int) -> None:
    """part: 'ms' for the sum in milliseconds, else the upper bound of a class."""
    if part == "ms":
        durations.sum_s += number / 1000
    elif part == BEYOND:
        durations.classes[-1] += number
    elif part.isdecimal():
        # Bounds of an older version go to the class of this one that holds them.
        durations.classes[bisect_left(BOUNDS_SECONDS, int(part))] += number


def read_standing(fields: Mapping[str, str]) -> Iterable[tuple[str, str, int]]:
    """Project, state and number of jobs, from the hash `standing`."""
    for name, number in whole_numbers(fields).items():
        project, _, state = name.rpartition("/")
        yield project, state, number
