"""The checks of a drill: what was seen against what had to be. Pure; a column of the table each."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from itertools import pairwise

from workers.drill.fates import FATES, Stop
from workers.drill.minutes import minutes_of
from workers.drill.observation import Observation
from workers.drill.orders import log_of, output_prefix, results_of
from workers.drill.plan import Plan, PlannedJob
from workers.drill.reasons import (
    code_is_the_engines,
    kept_on_host,
    lost_while_stopping,
    may_run_again,
    stopped_too_late,
    untold_evictions,
)
from workers.drill.witness import Ran


class Column(StrEnum):
    """What a drill counts. The value is the head of its row in the table."""

    LOST = "jobs lost"
    TWICE = "run twice"
    END = "wrong end state"
    MINUTES = "minutes wrong"
    RESULTS = "results missing or altered"
    GPUS = "GPUs leaked or held twice"
    CONTAINERS = "containers leaked"
    FILES = "files left on hosts"
    MESSAGES = "messages left"


@dataclass(frozen=True)
class Violation:
    """One thing that is not as it had to be. subject: a job's id, or where it was seen."""

    column: Column
    subject: str
    expected: str
    seen: str


Found = Iterator[tuple[str, str, str]]


def check(plan: Plan, seen: Observation) -> list[Violation]:
    """Every violation, column by column."""
    return [Violation(column, *found) for column, look in CHECKS.items() for found in look(plan, seen)]


def looked_at(plan: Plan, seen: Observation) -> dict[Column, str]:
    """How much each check had to look at, so that a zero can be told from a check that saw nothing."""
    started = sum(1 for ran in seen.ran if ran.starts)
    return {
        Column.LOST: f"{len(plan.jobs)} jobs",
        Column.TWICE: f"{started} containers that ran",
        Column.END: f"{len(seen.jobs)} jobs, {sum(job.evictions for job in seen.jobs.values())} evictions",
        Column.MINUTES: f"{len(seen.ledger)} billed minutes; the audit: {seen.audited.jobs} jobs",
        Column.RESULTS: f"{len(seen.objects)} objects, {sum(map(len, seen.logs.values()))} log lines",
        Column.GPUS: f"{sum(1 for ran in seen.ran if ran.gpus)} containers with GPUs",
        Column.CONTAINERS: f"{len(seen.ran)} containers",
        Column.FILES: "the hosts' disks",
        Column.MESSAGES: "all queues",
    }


def _lost(plan: Plan, seen: Observation) -> Found:
    for planned in plan.jobs:
        job = seen.jobs.get(planned.job_id)
        if planned.job_id in seen.refused:
            yield planned.job_id, "a submission that is taken", seen.refused[planned.job_id]
        elif job is None:
            yield planned.job_id, f"a job ({planned.fate})", "the store does not know it"
        elif not job.ended:
            yield planned.job_id, f"an end ({planned.fate})", f"{job.state} attempt {job.attempt}: {job.message}"


def _twice(plan: Plan, seen: Observation) -> Found:
    by_job = _by_job(seen)
    for planned in plan.jobs:
        runs = sorted((ran for ran in by_job[planned.job_id] if ran.starts), key=lambda ran: ran.starts[0])
        for ran in runs:
            if len(ran.starts) > 1:
                yield planned.job_id, f"one start of container {ran.container}", f"{len(ran.starts)} on {ran.host}"
        for earlier, later in pairwise(runs):
            if earlier.attempt == later.attempt:
                what = f"{earlier.container} on {earlier.host} and {later.container} on {later.host}"
                yield planned.job_id, f"one container of attempt {earlier.attempt}", what
            if earlier.until_ms > later.starts[0]:
                over = f"{_named(later)} began {earlier.until_ms - later.starts[0]} ms before {_named(earlier)} ended"
                yield planned.job_id, "one container at a time", over
        job = seen.jobs.get(planned.job_id)
        ends = {end.attempt: end for end in job.earlier_attempts} if job else {}
        for attempt in range(1, job.attempt) if job else ():
            if job and not may_run_again(job, ends.get(attempt), FATES[planned.fate], seen):
                told = ends[attempt].model_dump(exclude_none=True) if attempt in ends else "an end that is not recorded"
                yield planned.job_id, f"no attempt after attempt {attempt} ({planned.fate})", f"one, after {told}"


def _end(plan: Plan, seen: Observation) -> Found:
    by_job = _by_job(seen)
    for planned in plan.jobs:
        job = seen.jobs.get(planned.job_id)
        if job is None or not job.ended:
            continue
        fate = FATES[planned.fate]
        end = fate.end
        # A job that was to be stopped may have been waiting for its next attempt when the order came.
        waited = fate.stop is Stop.READY and job.attempt > 1
        codes = (*end.codes, None) if waited else end.codes
        right = (job.state, job.end_cause) == (end.state, end.cause) and (
            job.exit_code in codes or code_is_the_engines(job, seen)
        )
        if not right and not lost_while_stopping(job, seen) and not (fate.stop and stopped_too_late(job, seen)):
            expected = f"{end.state}, {end.cause}, exit code {' or '.join(map(str, codes))} ({planned.fate})"
            told = f"{job.state}, {job.end_cause}, exit code {job.exit_code}, attempt {job.attempt}: {job.message}"
            yield planned.job_id, expected, told
        for evicted in untold_evictions(job, seen):
            yield planned.job_id, f"JOB_EVICTED in the history of attempt {evicted.attempt}", "no such move"
        for ran in by_job[planned.job_id]:
            known = ran.attempt == job.attempt and ran.exit_code is not None and job.exit_code is not None
            if known and ran.exit_code != job.exit_code:
                yield planned.job_id, f"the engine's exit code {ran.exit_code}", f"{job.exit_code} in the store"


def _minutes(plan: Plan, seen: Observation) -> Found:
    by_job = _by_job(seen)
    rows = defaultdict(list)
    for row in seen.ledger:
        rows[row.job_id].append(row)
    for planned in plan.jobs:
        job = seen.jobs.get(planned.job_id)
        if job is not None and job.ended:
            for expected, told in minutes_of(job, by_job[planned.job_id], rows[planned.job_id]):
                yield planned.job_id, expected, told
    for job_id in rows.keys() - {planned.job_id for planned in plan.jobs}:
        yield job_id, "no bill for a job that was not submitted", f"{len(rows[job_id])} rows"
    for one in seen.differences:
        yield one.job_id or f"project {one.project}", f"{one.owed}, by the audit of {one.month}", str(one)


def _results(plan: Plan, seen: Observation) -> Found:
    by_job = _by_job(seen)
    for planned in plan.jobs:
        job = seen.jobs.get(planned.job_id)
        if job is None or not job.ended or lost_while_stopping(job, seen):
            continue
        ran = job.exit_code is not None or any(r.starts and r.attempt == job.attempt for r in by_job[job.id])
        prefix = output_prefix(job.id)
        held = {key.removeprefix(prefix): what for key, what in seen.objects.items() if key.startswith(prefix)}
        wanted = dict(results_of(planned, plan, job.attempt)) if ran else {}
        for name, content in wanted.items():
            if held.get(name) != content:
                yield job.id, f"{name}: {content} ({planned.fate})", str(held.get(name, "nothing"))
        # What earlier attempts left is right too, as they left it.
        earlier = [dict(results_of(planned, plan, attempt)) for attempt in range(1, job.attempt)]
        for name in held.keys() - wanted.keys():
            if all(results.get(name) != held[name] for results in earlier):
                yield job.id, f"no such result as {name}", str(held[name])
        if ran and FATES[planned.fate].runs:
            yield from _log(planned, list(seen.logs.get(job.id, ())))


def _log(planned: PlannedJob, lines: list[str]) -> Found:
    wanted = log_of(planned)
    if lines != wanted:
        pairs = enumerate(zip(lines, wanted, strict=False))
        at = next((number for number, (line, right) in pairs if line != right), min(len(lines), len(wanted)))
        told = f"{len(lines)}, the first that differs is number {at}: {lines[at : at + 1]}"
        yield planned.job_id, f"{len(wanted)} lines in its log ({planned.fate})", told


def _gpus(plan: Plan, seen: Observation) -> Found:
    for unit, job_id in seen.units_held.items():
        yield job_id or "the store", "every unit free at rest", unit
    holders = defaultdict(list)
    for ran in seen.ran:
        for gpu in ran.gpus if ran.starts else ():
            holders[gpu].append(ran)
    for gpu, runs in holders.items():
        runs.sort(key=lambda ran: ran.starts[0])
        for earlier, later in pairwise(runs):
            if earlier.until_ms > later.starts[0]:
                yield later.job_id, f"{gpu} in one container at a time", f"{_named(earlier)} still had it"


def _containers(_: Plan, seen: Observation) -> Found:
    for name in seen.containers:
        yield name, "no container at rest", "it is there"


def _files(_: Plan, seen: Observation) -> Found:
    for left in seen.workspaces:
        if not kept_on_host(left, seen):
            yield left.job_id, "no files of a job at rest", f"those of {left.fence} on {left.host}"


def _messages(_: Plan, seen: Observation) -> Found:
    for queue, count in seen.messages.items():
        yield queue, "no message at rest", f"{count}"


def _by_job(seen: Observation) -> defaultdict[str, list[Ran]]:
    runs: defaultdict[str, list[Ran]] = defaultdict(list)
    for ran in seen.ran:
        runs[ran.job_id].append(ran)
    return runs


def _named(ran: Ran) -> str:
    return f"{ran.container} (attempt {ran.attempt} of {ran.job_id[:8]} on {ran.host})"


CHECKS: dict[Column, Callable[[Plan, Observation], Found]] = {
    Column.LOST: _lost,
    Column.TWICE: _twice,
    Column.END: _end,
    Column.MINUTES: _minutes,
    Column.RESULTS: _results,
    Column.GPUS: _gpus,
    Column.CONTAINERS: _containers,
    Column.FILES: _files,
    Column.MESSAGES: _messages,
}
