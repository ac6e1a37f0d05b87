"""Reconcile: what the store wants against what the engine has, as a list of actions. Pure.

The same code path serves the agent's start, each event of the engine, and the regular look every few seconds.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from aitrain.domain.states import State
from aitrain.store import HostJob
from workers.runtime import Container


@dataclass(frozen=True)
class Watch:
    """The container runs and should: note how long, keep its log."""

    job: HostJob
    container: Container


@dataclass(frozen=True)
class Adopt:
    """The container runs, and the worker that started it died before it could say so: the job is RUNNING."""

    job: HostJob
    container: Container


@dataclass(frozen=True)
class ReportExit:
    """The container ended: the job goes to FINALIZING with the engine's times and exit code."""

    job: HostJob
    container: Container


@dataclass(frozen=True)
class ReportLost:
    """The job ran and its container is gone: what it left in its volumes is pushed, then it ends ERROR."""

    job: HostJob


@dataclass(frozen=True)
class Stop:
    """The container runs and should not any more: SIGTERM, the grace period, SIGKILL."""

    container: Container


@dataclass(frozen=True)
class NothingRan:
    """The job was stopped before anything of it ran, and no worker is at it: it is INTERRUPTED."""

    job: HostJob


@dataclass(frozen=True)
class Remove:
    """Nobody wants the container: its job ended, or another attempt took its place."""

    container: Container


Action = Watch | Adopt | ReportExit | ReportLost | Stop | NothingRan | Remove

ENDING = frozenset({State.INTERRUPTING, State.TIMEOUT})
STARTED = frozenset({State.RUNNING, State.TIMEOUT})


def reconcile(wanted: Iterable[HostJob], found: Iterable[Container]) -> list[Action]:
    """The actions that bring the host to what the store wants.

    wanted must have been read after found was listed: a container of a job that is not wanted then has ended for good.
    """
    jobs = {(job.job_id, job.fence): job for job in wanted}
    actions: list[Action] = []
    seen = set()
    for container in found:
        key = container.job_id, container.fence
        seen.add(key)
        job = jobs.get(key)
        action = Remove(container) if job is None else _of_container(job, container)
        if action is not None:
            actions.append(action)
    for key, job in jobs.items():
        if key not in seen:
            action = _without_container(job)
            if action is not None:
                actions.append(action)
    return actions


def _of_container(job: HostJob, container: Container) -> Action | None:
    match job.state:
        case State.PENDING if container.exited:
            return ReportExit(job, container)
        case State.PENDING if container.running and not job.lease_live:
            return Adopt(job, container)
        case State.RUNNING if container.running:
            return Watch(job, container)
        case State.INTERRUPTING | State.TIMEOUT if container.running:
            return Stop(container)
        case State.RUNNING | State.INTERRUPTING | State.TIMEOUT if container.exited:
            return ReportExit(job, container)
        case State.RUNNING | State.INTERRUPTING | State.TIMEOUT:
            # Created and never started: like none, but for a step that may still be about to start it.
            return _without_container(job)
        case State.FINALIZING if container.running:
            return Stop(container)
    return None


def _without_container(job: HostJob) -> Action | None:
    if job.state in STARTED or (job.state in ENDING and job.started):
        return ReportLost(job)
    if job.state in ENDING and not job.lease_live:
        return NothingRan(job)
    return None
