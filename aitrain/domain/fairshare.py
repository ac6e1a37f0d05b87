"""The order in which waiting jobs get their turn: priority, then fair share between projects, then arrival.

Of the highest priority that waits, the project that uses least has the next turn, with its job that has waited longest.
What it is given counts as its use at once, so that projects take turns within one pass.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from heapq import heapify, heappop, heappush
from itertools import groupby
from operator import attrgetter
from typing import Protocol, TypeVar


class Ranked(Protocol):
    """What an order needs to know of a job. priority: 0 to 100; waited_s: seconds since it began to wait."""

    @property
    def job_id(self) -> str: ...
    @property
    def project(self) -> str: ...
    @property
    def priority(self) -> int: ...
    @property
    def waited_s(self) -> float: ...


J = TypeVar("J", bound=Ranked)


def in_turn(jobs: Iterable[J], use: Mapping[str, float], give: Callable[[J], int]) -> None:
    """Offers jobs their turn, one after another.

    use: units that a project holds plus its recent average; give: called with the job whose turn it is, answers how
    many units it was given, which counts as its project's use from then on; below 0: nobody else has a turn.
    """
    own = sorted(jobs, key=lambda job: (job.project, -job.priority, -job.waited_s, job.job_id))
    lines = {project: list(line)[::-1] for project, line in groupby(own, attrgetter("project"))}
    used = {project: use.get(project, 0.0) for project in lines}

    def turn(project: str) -> tuple[int, float, float, str, str]:
        job = lines[project][-1]
        return -job.priority, used[project], -job.waited_s, job.job_id, project

    turns = [turn(project) for project in lines]
    heapify(turns)
    while turns:
        project = heappop(turns)[-1]
        given = give(lines[project].pop())
        if given < 0:
            return
        used[project] += given
        if lines[project]:
            heappush(turns, turn(project))
