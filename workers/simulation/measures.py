"""From the jobs that a simulation left to figures. Pure."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from aitrain.domain.billing import LedgerLine, Terms, amount
from aitrain.domain.job import Job
from aitrain.domain.states import STATES, State
from aitrain.settings import Settings
from workers.simulation.joblist import ListedJob

# The usual bound of bounded slowdown: a job of seconds that waits for seconds is no scandal.
SLOWDOWN_BOUND_S = 10.0
Span = tuple[int, int]


@dataclass(frozen=True)
class Told:
    """What one job of the list came to. Times: Unix ms.

    placed_ms: when it first got a host, None if never; ended_ms: None if it has not; held: host, from and to of each
    time that it held its units; minutes: billed.
    """

    job: Job
    listed: ListedJob
    placed_ms: int | None
    ended_ms: int | None
    held: tuple[tuple[str, Span], ...]
    queued: tuple[Span, ...]
    minutes: int

    @property
    def wait_s(self) -> float | None:
        """From its submission until it first got a host, in seconds."""
        return None if self.placed_ms is None else (self.placed_ms - self.job.created_ms) / 1000

    @property
    def slowdown(self) -> float | None:
        """How many times as long as its run alone it took from submission to end, at least 1; None: it has no end."""
        if self.ended_ms is None:
            return None
        took_s = (self.ended_ms - self.job.created_ms) / 1000
        return max(1.0, took_s / max(self.listed.run_s, SLOWDOWN_BOUND_S))


def told(job: Job, listed: ListedJob, end_ms: int) -> Told:
    """A job's history as figures. end_ms: of the simulation, for what was not over then."""
    hosts = {end.attempt: end.host for end in job.earlier_attempts} | {job.attempt: job.host}
    held: list[tuple[str, Span]] = []
    queued: list[Span] = []
    placed_ms = None
    since_ms, holds, waits, attempt = job.created_ms, False, False, 1
    for entry in job.history:
        row = STATES[entry.state]
        if holds and not row.holds_units:
            held.append((hosts.get(attempt, ""), (since_ms, entry.at_ms)))
        if waits:
            queued.append((since_ms, entry.at_ms))
        if row.holds_units and placed_ms is None:
            placed_ms = entry.at_ms
        if entry.state is State.QUEUED or (row.holds_units and not holds):
            since_ms = entry.at_ms
        holds, waits, attempt = row.holds_units, entry.state is State.QUEUED, entry.attempt
    if holds:
        held.append((hosts.get(attempt, ""), (since_ms, end_ms)))
    if waits:
        queued.append((since_ms, end_ms))
    minutes = job.billed_minutes + sum(end.minutes for end in job.earlier_attempts)
    ended_ms = job.history[-1].at_ms if job.ended else None
    return Told(job, listed, placed_ms, ended_ms, tuple(held), tuple(queued), minutes)


def largest_queue(jobs: Iterable[Told]) -> int:
    """The most jobs that waited at one moment."""
    marks = sorted(mark for job in jobs for start, end in job.queued if end > start for mark in ((start, 1), (end, -1)))
    now = most = 0
    for _, change in marks:
        now += change
        most = max(most, now)
    return most


def common_ms(span: Span, others: Sequence[Span]) -> int:
    """How long a span lasted within others that do not overlap."""
    return sum(max(0, min(span[1], end) - max(span[0], start)) for start, end in others)


def busy_hours(jobs: Iterable[Told], up: Mapping[str, Sequence[Span]]) -> float:
    """Unit-hours that jobs held on hosts that were there."""
    held = (job.job.units * common_ms(span, up.get(host, ())) for job in jobs for host, span in job.held)
    return sum(held) / 3_600_000


def percentile(values: Sequence[float], share: float) -> float:
    """The smallest of the sorted values that so large a share of them does not exceed; 0 of none."""
    return values[max(0, math.ceil(share * len(values)) - 1)] if values else 0.0


def cost(jobs: Iterable[Told], settings: Settings) -> str:
    """What they are billed, in the site's currency: the ledger's minutes at its prices, by its own arithmetic."""
    return str(amount((_line(job, settings) for job in jobs), settings.minor_unit))


def _line(told: Told, settings: Settings) -> LedgerLine:
    job = told.job
    price = settings.flavors[job.flavor].hourly_price
    terms = Terms(job.project, job.flavor, job.units, price, job.host)
    return LedgerLine(job.id, job.attempt, 0, told.minutes, 0, terms)
