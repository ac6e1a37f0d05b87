"""Why a job waits: the reason, its place, when it may start, what would start at once. Pure: the store knows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import StrEnum
from math import inf

from pydantic import BaseModel, ConfigDict, Field

from aitrain.domain.budget import to_amount
from aitrain.domain.job import moment
from aitrain.domain.profile import Release, units_free_at
from aitrain.domain.states import State

NEVER = inf


class Reason(StrEnum):
    """Why a job does not run yet."""

    NOT_WAITING = "NOT_WAITING"  # it is in another state than QUEUED
    QUOTA = "QUOTA"  # it is held: its project's quota has no room for it
    BUDGET = "BUDGET"  # it is held: its project's budget for the month does not allow for it
    RETRY_PAUSE = "RETRY_PAUSE"  # its retry waits for its time
    NO_HOST_OF_FLAVOR = "NO_HOST_OF_FLAVOR"  # no host has offered its flavor
    TOO_LARGE_FOR_ANY_HOST = "TOO_LARGE_FOR_ANY_HOST"  # no host has as many units
    HOSTS_AWAY = "HOSTS_AWAY"  # those that are large enough are not heard of, or cannot start containers
    CORDONED = "CORDONED"  # those that are there were cordoned by an operator
    SET_ASIDE = "SET_ASIDE"  # units of those were set aside, and too few are left
    STARTING = "STARTING"  # it would fit now: a placement pass is due
    HOSTS_FULL = "HOSTS_FULL"  # units are free on hosts that have as many jobs as they may
    KEPT_FOR_OTHERS = "KEPT_FOR_OTHERS"  # units are free on hosts that are kept for jobs that waited longer
    BEHIND_OTHERS = "BEHIND_OTHERS"  # others, which need no more units, have their turn before
    UNITS_BUSY = "UNITS_BUSY"  # it has the next turn, and too few units are free on any one host


class HostCounts(BaseModel):
    """Hosts that have the flavor, and those of them that are large enough, by what keeps them from the job.

    largest: most units on one; usable: nothing does. Counted up to the first usable one.
    """

    model_config = ConfigDict(frozen=True)

    offering: int
    largest: int
    able: int
    away: int
    cordoned: int
    unfit: int
    aside: int
    usable: int


class FreeUnits(BaseModel):
    """Most free units on one host: open to all; full, without room for another job; kept for other jobs."""

    model_config = ConfigDict(frozen=True)

    open: int
    full: int
    kept: int


class HostProfile(BaseModel):
    """What a host has: free units, and when the others come free."""

    model_config = ConfigDict(frozen=True)

    host: str
    free: int
    releases: tuple[Release, ...]


class ViewOfWaiting(BaseModel):
    """What the store knows of why a job waits.

    since_ms: from when it waits; not_before_ms: a retry waits until then, 0: none; position: 1 for the next turn;
    ahead_fitting: how many of those before it ask for no more units; ahead: units and timeout of each, None if they are
    too many; profiles: hosts on which units come free first; others: most free units of other flavors, on one host
    each.
    """

    model_config = ConfigDict(frozen=True)

    state: State
    flavor: str
    units: int
    now_ms: int
    since_ms: int
    not_before_ms: int
    kept_host: str
    hosts: HostCounts
    free: FreeUnits
    position: int
    ahead_fitting: int
    ahead: tuple[tuple[int, int], ...] | None
    profiles: tuple[HostProfile, ...]
    others: Mapping[str, int]


class OverLimit(BaseModel):
    """A limit that is in the way of a job: what it allows, what is in use, what the job asks for.

    refused: "quota"; "budget": all in price minutes (domain/budget.py), with what is spent and set aside instead of
    used; "timeout": the job has none, and its project has a budget.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    refused: str
    project: str
    kind: str = ""
    month: str = ""
    limit: int = 0
    used: int = 0
    spent: int = 0
    set_aside: int = 0
    asked: int = 0


class ViewOfHeld(BaseModel):
    """What the store knows of a held job. over: None if only others are in its way; position: 1 for the next turn."""

    model_config = ConfigDict(frozen=True)

    state: State
    held: str
    since_ms: int
    over: OverLimit | None
    position: int


class WouldStartNow(BaseModel):
    """What would start at once instead. units: so many of the same flavor; flavors: as many units of these."""

    model_config = ConfigDict(frozen=True)

    units: int | None = None
    flavors: tuple[str, ...] = ()


class Explanation(BaseModel):
    """Why a job waits.

    message: the reason as a sentence; position: 1 for the next turn among what waits for its flavor; kept_host: the
    host that is kept for it; starts_by_ms: Unix ms, when it starts at the latest if everything runs to its timeout;
    estimate: what that rests on, or why there is none.
    """

    model_config = ConfigDict(frozen=True)

    job_id: str
    state: State
    reason: Reason
    message: str
    since_ms: int | None = None
    position: int | None = None
    kept_host: str = ""
    starts_by_ms: int | None = None
    estimate: str = ""
    would_start_now: WouldStartNow = Field(default_factory=WouldStartNow)


def explain(job_id: str, view: ViewOfWaiting) -> Explanation:
    """The explanation for a QUEUED job."""
    reason = _reason(view)
    starts_by_ms, estimate = _estimate(view, reason)
    few = view.free.open if 0 < view.free.open < view.units else None
    others = tuple(sorted(flavor for flavor, free in view.others.items() if free >= view.units))
    instead = WouldStartNow() if reason is Reason.STARTING else WouldStartNow(units=few, flavors=others)
    return Explanation(
        job_id=job_id,
        state=view.state,
        reason=reason,
        message=_message(reason, view),
        since_ms=view.since_ms,
        position=view.position,
        kept_host=view.kept_host,
        starts_by_ms=starts_by_ms,
        estimate=estimate,
        would_start_now=instead,
    )


def not_waiting(job_id: str, state: State) -> Explanation:
    """The explanation for a job in another state."""
    return Explanation(
        job_id=job_id, state=state, reason=Reason.NOT_WAITING, message=f"it does not wait: it is {state}"
    )


def explain_held(job_id: str, view: ViewOfHeld) -> Explanation:
    """The explanation for a job that is held."""
    ahead = view.position - 1
    reason, message, estimate = _held(view)
    return Explanation(
        job_id=job_id,
        state=view.state,
        reason=reason,
        message=f"it is held: {message}" + (f"; {ahead} held jobs have their turn before it" if ahead else ""),
        since_ms=view.since_ms,
        position=view.position,
        estimate=estimate,
    )


def _held(view: ViewOfHeld) -> tuple[Reason, str, str]:
    over = view.over
    if over is None:
        reason = Reason.BUDGET if view.held == "budget" else Reason.QUOTA
        return reason, "there is room for it now, and it is let in in its turn", "others are before it"
    if over.refused == "timeout":
        message = f"project {over.project!r} has a budget, and the job has no timeout that bounds what it may cost"
        return Reason.BUDGET, message, "it has to be given a timeout, or the budget has to be removed"
    if over.refused == "budget":
        limit, spent, aside, asked = (to_amount(n) for n in (over.limit, over.spent, over.set_aside, over.asked))
        message = (
            f"project {over.project!r} has a budget of {limit:.2f} for {over.month}, {spent:.2f} are spent and "
            f"{aside:.2f} set aside, and it may cost {asked:.2f}"
        )
        return Reason.BUDGET, message, "the budget has to be raised, or the month has to turn"
    unit = "jobs" if over.kind == "jobs" else f"{over.kind} units"
    message = f"project {over.project!r} may have {over.limit} {unit} at once, {over.used} are in use"
    return (
        Reason.QUOTA,
        f"{message}, and it needs {over.asked}",
        "its project's jobs have to end, or the quota has to be raised",
    )


def _reason(view: ViewOfWaiting) -> Reason:
    hosts, free, units = view.hosts, view.free, view.units
    checks = (
        (view.not_before_ms > view.now_ms, Reason.RETRY_PAUSE),
        (hosts.offering == 0, Reason.NO_HOST_OF_FLAVOR),
        (hosts.able == 0, Reason.TOO_LARGE_FOR_ANY_HOST),
        (hosts.usable == 0 and hosts.aside > 0, Reason.SET_ASIDE),
        (hosts.usable == 0 and hosts.cordoned > 0, Reason.CORDONED),
        (hosts.usable == 0, Reason.HOSTS_AWAY),
        (free.open >= units, Reason.STARTING),
        (free.full >= units, Reason.HOSTS_FULL),
        (free.kept >= units and not view.kept_host, Reason.KEPT_FOR_OTHERS),
        (view.ahead_fitting > 0, Reason.BEHIND_OTHERS),
    )
    return next((reason for holds, reason in checks if holds), Reason.UNITS_BUSY)


def _message(reason: Reason, view: ViewOfWaiting) -> str:
    hosts, units, what = view.hosts, view.units, f"{view.units} x {view.flavor}"
    at_most = f"{view.free.open} free at most on one host, {units} needed"
    ahead = view.position - 1
    messages = {
        Reason.RETRY_PAUSE: f"its retry begins at {moment(view.not_before_ms):%Y-%m-%d %H:%M:%S} UTC",
        Reason.NO_HOST_OF_FLAVOR: f"no host offers {view.flavor}",
        Reason.TOO_LARGE_FOR_ANY_HOST: f"it needs {what} on one host, and the largest has {hosts.largest}",
        Reason.HOSTS_AWAY: f"of {hosts.able} hosts that have {what}, {hosts.away} are not heard of and {hosts.unfit} "
        "cannot start containers",
        Reason.CORDONED: f"of {hosts.able} hosts that have {what}, {hosts.cordoned} are cordoned and "
        f"{hosts.away + hosts.unfit} away",
        Reason.SET_ASIDE: f"of {hosts.able} hosts that have {what}, {hosts.aside} have too few left, for some are set "
        f"aside; {hosts.cordoned} are cordoned and {hosts.away + hosts.unfit} away",
        Reason.STARTING: f"{what} are free: it starts with the next placement pass",
        Reason.HOSTS_FULL: f"{view.free.full} units are free on a host that already has as many jobs as it may",
        Reason.KEPT_FOR_OTHERS: f"{view.free.kept} units are free on a host that is kept for a job that waited longer",
        Reason.BEHIND_OTHERS: f"{ahead} jobs have their turn before it; {at_most}",
        Reason.UNITS_BUSY: f"units are busy: {at_most}",
    }
    kept = f"; host {view.kept_host} is kept for it" if view.kept_host else ""
    return messages[reason] + kept


# Reasons that a deadline of a running job says nothing about.
_NO_TELLING = {
    Reason.RETRY_PAUSE: "its retry has to begin first",
    Reason.NO_HOST_OF_FLAVOR: "a host has to join",
    Reason.TOO_LARGE_FOR_ANY_HOST: "a larger host has to join",
    Reason.HOSTS_AWAY: "a host has to come back",
    Reason.CORDONED: "a host has to be uncordoned",
    Reason.SET_ASIDE: "units have to be given back",
}


def _estimate(view: ViewOfWaiting, reason: Reason) -> tuple[int | None, str]:
    if reason in _NO_TELLING:
        return None, _NO_TELLING[reason]
    if reason is Reason.STARTING:
        return view.now_ms, "now"
    own = [profile for profile in view.profiles if profile.host == view.kept_host]
    if own:
        in_s = starts_in_s(view.units, (), own[:1])
    elif view.ahead is None:
        return None, "too many jobs are ahead of it to tell"
    else:
        in_s = starts_in_s(view.units, view.ahead, view.profiles)
    if in_s == NEVER:
        return None, "it waits for jobs that have no timeout"
    return view.now_ms + round(in_s * 1000), "if what runs and what is ahead of it takes its whole timeout"


def starts_in_s(units: int, ahead: Sequence[tuple[int, int]], profiles: Sequence[HostProfile]) -> float:
    """In how many seconds a job of so many units starts at the latest, NEVER if nobody knows.

    ahead: units and timeout (0: none) of those before it, in order. Each takes the host that has its units first, and
    holds them for its whole timeout.
    """
    hosts = {profile.host: units_free_at(profile.free, profile.releases) for profile in profiles}

    def first(needed: int) -> tuple[float, str]:
        return min(((at[needed - 1], host) for host, at in hosts.items() if len(at) >= needed), default=(NEVER, ""))

    for needed, timeout_s in ahead:
        start_s, host = first(needed)
        if host and start_s < NEVER:
            until_s = start_s + timeout_s if timeout_s else NEVER
            hosts[host] = sorted([*hosts[host][needed:], *[until_s] * needed])
    return first(units)[0]
