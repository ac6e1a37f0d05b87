"""Each column of a drill's table: clean for a drill that went well, and not for one that did not."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from aitrain import Job
from aitrain.domain.audit import Difference
from aitrain.domain.job import AttemptEnd, HistoryEntry
from aitrain.domain.states import EndCause, InfoCode, State
from workers.drill.checks import Column, check, looked_at
from workers.drill.fates import FATES
from workers.drill.faults import Struck
from workers.drill.heartbeats import Silence
from workers.drill.observation import Billed, Left, Observation
from workers.drill.orders import Content, log_of, output_prefix, results_of, spec_of
from workers.drill.plan import Plan, PlannedJob
from workers.drill.witness import Ran

BEGAN_MS, RAN_MS = 1_800_000_000_000, 61_500


def planned(number: int, fate: str) -> PlannedJob:
    job_id = f"00000000-0000-4000-8000-{number:012d}"
    return PlannedJob(number, job_id, fate, 0.0, 1.0, 1, lines=5, size_bytes=100, files=3, stop_after_s=0)


PLAN = Plan(1, (planned(0, "ok"), planned(1, "chatty"), planned(2, "gpu"), planned(3, "restarted")), ())
OK, CHATTY, GPU, RESTARTED = PLAN.jobs


def job_of(plan: PlannedJob, **fields: Any) -> Job:
    """A job that ended as its fate wants, after one attempt on h1."""
    end = FATES[plan.fate].end
    states = [State.QUEUED, State.INITIALIZING, State.PENDING, State.RUNNING, State.FINALIZING, end.state]
    values: dict[str, Any] = {
        "id": plan.job_id, "spec": spec_of(plan), "state": end.state, "attempt": 1, "fence": "1.a", "flavor": "cpu",
        "kind": "cpu", "units": 1, "hourly_price": "0.06", "timeout_s": 0, "auto_restart": False, "host": "h1",
        "created_ms": BEGAN_MS, "state_ms": BEGAN_MS + RAN_MS, "code": InfoCode.JOB_DONE, "end_cause": end.cause,
        "exit_code": end.codes[0], "started_ms": BEGAN_MS, "finished_ms": BEGAN_MS + RAN_MS,
        "history": [
            HistoryEntry(at_ms=BEGAN_MS, state=state, attempt=1, code=InfoCode.JOB_QUEUED) for state in states
        ],
        **fields,
    }  # fmt: skip
    return Job.model_validate(values)


def ran_of(plan: PlannedJob, attempt: int = 1, **fields: Any) -> Ran:
    """The container of one attempt."""
    values: dict[str, Any] = {
        "host": "h1", "container": f"c{plan.number}", "job_id": plan.job_id, "attempt": attempt,
        "fence": f"{attempt}.a", "starts": (BEGAN_MS,), "finished_ms": BEGAN_MS + RAN_MS,
        "exit_code": FATES[plan.fate].end.codes[0], **fields,
    }  # fmt: skip
    return Ran(**values)


def bill(plan: PlannedJob, *minutes: int, attempt: int = 1, began_ms: int = BEGAN_MS) -> list[Billed]:
    return [Billed(plan.job_id, attempt, minute, began_ms + minute * 60_000, 1) for minute in minutes]


def objects_of(plan: PlannedJob, attempt: int = 1) -> dict[str, Content]:
    return {output_prefix(plan.job_id) + name: what for name, what in results_of(plan, PLAN, attempt)}


def a_good_drill() -> Observation:
    """Every job as its fate wants; the last one in two attempts."""
    once = job_of(RESTARTED).history
    two_attempts = {
        "attempt": 2, "fence": "2.b",
        "history": [*once[:-1], *(move.model_copy(update={"attempt": 2}) for move in once)],
        "started_ms": BEGAN_MS + 100_000, "finished_ms": BEGAN_MS + 100_000 + RAN_MS,
        "earlier_attempts": [
            AttemptEnd(
                attempt=1, cause=EndCause.TIMED_OUT, exit_code=143, host="h1", started_ms=BEGAN_MS,
                finished_ms=BEGAN_MS + RAN_MS,
            )
        ],
    }  # fmt: skip
    jobs = [job_of(OK), job_of(CHATTY), job_of(GPU), job_of(RESTARTED, **two_attempts)]
    later = {"starts": (BEGAN_MS + 100_000,), "finished_ms": BEGAN_MS + 100_000 + RAN_MS}
    return Observation(
        jobs={job.id: job for job in jobs},
        ran=[
            ran_of(OK), ran_of(CHATTY), ran_of(GPU, gpus=("GPU-0",)),
            ran_of(RESTARTED, exit_code=143), ran_of(RESTARTED, 2, container="c9", gpus=("GPU-0",), **later),
        ],
        ledger=[
            *bill(OK, 0, 1), *bill(CHATTY, 0, 1), *bill(GPU, 0, 1), *bill(RESTARTED, 0, 1),
            *bill(RESTARTED, 0, 1, attempt=2, began_ms=BEGAN_MS + 100_000),
        ],
        objects={**objects_of(OK), **objects_of(CHATTY), **objects_of(GPU), **objects_of(RESTARTED, 2)},
        logs={plan.job_id: log_of(plan) for plan in PLAN.jobs},
    )  # fmt: skip


GOOD = a_good_drill()
Spoil = Callable[[], Observation]


def with_job(plan: PlannedJob, **fields: Any) -> Observation:
    changed = GOOD.jobs[plan.job_id].model_copy(update=fields)
    return replace(GOOD, jobs={**GOOD.jobs, plan.job_id: changed})


def without(plan: PlannedJob) -> dict[str, Job]:
    return {job_id: job for job_id, job in GOOD.jobs.items() if job_id != plan.job_id}


def test_a_drill_that_went_well_has_no_violation() -> None:
    assert check(PLAN, GOOD) == []


def test_the_table_says_how_much_was_looked_at() -> None:
    assert looked_at(PLAN, GOOD)[Column.TWICE] == "5 containers that ran"
    assert looked_at(PLAN, GOOD).keys() == set(Column)


SECOND = ran_of(OK, container="c8", starts=(BEGAN_MS + 90_000,), finished_ms=BEGAN_MS + 91_000)
ELSEWHERE = ran_of(
    RESTARTED, 2, container="c9", host="h2", starts=(BEGAN_MS + 60_000,), finished_ms=BEGAN_MS + 100_000 + RAN_MS
)
RESULT = output_prefix(OK.job_id) + "result"
EARLIER = GOOD.jobs[RESTARTED.job_id].earlier_attempts[0]


def earlier(**fields: Any) -> Observation:
    return with_job(RESTARTED, earlier_attempts=(EARLIER.model_copy(update=fields),))


DRAINED = Struck("host-drained", "h1", BEGAN_MS, BEGAN_MS + 3000)


def evicted(**fields: Any) -> Observation:
    """The first attempt of the restarted job was moved off a host that was drained, and its history says so."""
    history = GOOD.jobs[RESTARTED.job_id].history
    leaves = HistoryEntry(at_ms=BEGAN_MS + 1, state=State.INTERRUPTING, attempt=1, code=InfoCode.JOB_EVICTED)
    changed = EARLIER.model_copy(update={"cause": EndCause.EVICTED, **fields})
    seen = with_job(RESTARTED, earlier_attempts=(changed,), history=(*history[:4], leaves, *history[4:]))
    return replace(seen, struck=[DRAINED])


def untold(seen: Observation) -> dict[str, Job]:
    """The same jobs, with no word of an eviction in their histories."""
    return {
        job_id: job.model_copy(
            update={"history": tuple(move for move in job.history if move.code is not InfoCode.JOB_EVICTED)}
        )
        for job_id, job in seen.jobs.items()
    }


SPOILED: list[tuple[str, Column, Spoil]] = [
    ("unknown to the store", Column.LOST, lambda: replace(GOOD, jobs=without(OK))),
    ("never ended", Column.LOST, lambda: with_job(OK, state=State.PENDING)),
    ("refused", Column.LOST, lambda: replace(GOOD, refused={OK.job_id: "QuotaExceeded"})),
    ("two containers of one attempt", Column.TWICE, lambda: replace(GOOD, ran=[*GOOD.ran, SECOND])),
    (
        "one container started twice",
        Column.TWICE,
        lambda: replace(GOOD, ran=[ran_of(OK, starts=(BEGAN_MS - 5, BEGAN_MS)), *GOOD.ran[1:]]),
    ),
    ("two attempts at once", Column.TWICE, lambda: replace(GOOD, ran=[*GOOD.ran[:-1], ELSEWHERE])),
    ("again after success", Column.TWICE, lambda: earlier(cause=EndCause.COMPLETED)),
    ("again after an exit code of its own", Column.TWICE, lambda: earlier(cause=EndCause.EXIT_CODE, exit_code=3)),
    ("again for a lost host that no fault struck", Column.TWICE, lambda: earlier(cause=EndCause.HOST_LOST)),
    ("again for a container that no fault took away", Column.TWICE, lambda: earlier(cause=EndCause.CONTAINER_LOST)),
    ("again, and nothing says why", Column.TWICE, lambda: with_job(RESTARTED, earlier_attempts=())),
    ("another state", Column.END, lambda: with_job(OK, state=State.FAILED)),
    ("another cause", Column.END, lambda: with_job(OK, end_cause=EndCause.TIMED_OUT)),
    ("another exit code", Column.END, lambda: with_job(OK, exit_code=None)),
    (
        "not the engine's exit code",
        Column.END,
        lambda: replace(GOOD, ran=[ran_of(OK, exit_code=1), *GOOD.ran[1:]]),
    ),
    ("a minute too few", Column.MINUTES, lambda: replace(GOOD, ledger=GOOD.ledger[1:])),
    ("a minute too many", Column.MINUTES, lambda: replace(GOOD, ledger=[*GOOD.ledger, *bill(OK, 2)])),
    ("a minute twice", Column.MINUTES, lambda: replace(GOOD, ledger=[*GOOD.ledger, *bill(OK, 1)])),
    (
        "a minute of an attempt that never ran",
        Column.MINUTES,
        lambda: replace(GOOD, ledger=[*GOOD.ledger, *bill(OK, 0, attempt=2)]),
    ),
    ("a minute of nobody's", Column.MINUTES, lambda: replace(GOOD, ledger=[*GOOD.ledger, *bill(planned(9, "ok"), 0)])),
    ("not the engine's start", Column.MINUTES, lambda: with_job(OK, started_ms=BEGAN_MS - 500)),
    ("not the engine's end", Column.MINUTES, lambda: with_job(OK, finished_ms=BEGAN_MS + RAN_MS + 500)),
    (
        "units in the bill",
        Column.MINUTES,
        lambda: replace(GOOD, ledger=[replace(GOOD.ledger[0], units=2), *GOOD.ledger[1:]]),
    ),
    (
        "a result missing",
        Column.RESULTS,
        lambda: replace(GOOD, objects={k: v for k, v in GOOD.objects.items() if k != RESULT}),
    ),
    ("a result altered", Column.RESULTS, lambda: replace(GOOD, objects={**GOOD.objects, RESULT: Content.of(b"x")})),
    (
        "a result that is none",
        Column.RESULTS,
        lambda: replace(GOOD, objects={**GOOD.objects, RESULT + "2": Content.of(b"x")}),
    ),
    ("a log cut short", Column.RESULTS, lambda: replace(GOOD, logs={**GOOD.logs, CHATTY.job_id: ["1", "2"]})),
    (
        "a log repeated",
        Column.RESULTS,
        lambda: replace(GOOD, logs={**GOOD.logs, CHATTY.job_id: [*log_of(CHATTY), "5"]}),
    ),
    (
        "what the audit of bills found",
        Column.MINUTES,
        lambda: replace(GOOD, differences=[Difference("drill", "2027-01", "", 0, 0, 0, "2", "1")]),
    ),
    ("again for a drain that nobody ordered", Column.TWICE, lambda: replace(evicted(), struck=[])),
    ("an eviction that is not in the history", Column.END, lambda: replace(evicted(), jobs=untold(evicted()))),
    (
        "evicted for good",
        Column.END,
        lambda: replace(with_job(OK, state=State.INTERRUPTED, end_cause=EndCause.EVICTED), struck=[DRAINED]),
    ),
    ("a unit aside at rest", Column.GPUS, lambda: replace(GOOD, units_held={"h1 cpu 0": ""})),
    ("a unit held at rest", Column.GPUS, lambda: replace(GOOD, units_held={"h1 cpu 0": OK.job_id})),
    (
        "one GPU in two containers",
        Column.GPUS,
        lambda: replace(GOOD, ran=[ran_of(OK, gpus=("GPU-0",)), *GOOD.ran[1:]]),
    ),
    ("a container left", Column.CONTAINERS, lambda: replace(GOOD, containers=["h1: aitrain-x-1"])),
    ("files left", Column.FILES, lambda: replace(GOOD, workspaces=[Left("h1", OK.job_id, "1.a")])),
    ("files of an unknown job", Column.FILES, lambda: replace(GOOD, workspaces=[Left("h1", "nobody", "1.a")])),
    ("a message left", Column.MESSAGES, lambda: replace(GOOD, messages={"drill:control": 1})),
]


@pytest.mark.parametrize(("column", "spoil"), [row[1:] for row in SPOILED], ids=[row[0] for row in SPOILED])
def test_what_is_wrong_shows_in_its_column_alone(column: Column, spoil: Spoil) -> None:
    found = {violation.column for violation in check(PLAN, spoil())}
    # What ran twice is billed wrong as well.
    assert found - ({Column.MINUTES} if column is Column.TWICE else set()) == {column}


def test_every_column_can_be_violated() -> None:
    assert {column for _, column, _ in SPOILED} == set(Column)


LOST = Silence("h1", BEGAN_MS, BEGAN_MS + 15_000)


def test_a_lost_host_is_a_reason_for_another_attempt() -> None:
    lost = earlier(cause=EndCause.HOST_LOST, finished_ms=None)
    assert check(PLAN, replace(lost, silences=[LOST])) == []


@pytest.mark.parametrize("silence", [replace(LOST, host="h2"), replace(LOST, ended_ms=BEGAN_MS + 8000)])
def test_but_not_another_host_or_a_short_silence(silence: Silence) -> None:
    lost = earlier(cause=EndCause.HOST_LOST, finished_ms=None)
    assert {violation.column for violation in check(PLAN, replace(lost, silences=[silence]))} == {Column.TWICE}


@pytest.mark.parametrize(
    ("kind", "host", "found"), [("engine-killed", "h1", 0), ("engine-killed", "h2", 1), ("s3-killed", "", 1)]
)
def test_an_engine_that_went_down_is_a_reason_where_it_did(kind: str, host: str, found: int) -> None:
    seen = replace(earlier(cause=EndCause.ENGINE_RESTARTED), struck=[Struck(kind, host, BEGAN_MS, BEGAN_MS + 1000)])
    assert len(check(PLAN, seen)) == found


@pytest.mark.parametrize("minutes", [(0,), (0, 1)])
def test_of_an_attempt_whose_end_nobody_told_at_most_what_it_ran_is_billed(minutes: tuple[int, ...]) -> None:
    lost = replace(earlier(cause=EndCause.HOST_LOST, finished_ms=None), silences=[LOST])
    ledger = [row for row in GOOD.ledger if (row.job_id, row.attempt) != (RESTARTED.job_id, 1)]
    assert check(PLAN, replace(lost, ledger=[*ledger, *bill(RESTARTED, *minutes)])) == []


def test_and_at_least_its_first_minute() -> None:
    lost = replace(earlier(cause=EndCause.HOST_LOST, finished_ms=None), silences=[LOST])
    ledger = [row for row in GOOD.ledger if (row.job_id, row.attempt) != (RESTARTED.job_id, 1)]
    assert {violation.column for violation in check(PLAN, replace(lost, ledger=ledger))} == {Column.MINUTES}


def test_what_an_earlier_attempt_left_is_right_as_it_left_it() -> None:
    assert check(PLAN, replace(GOOD, objects={**objects_of(RESTARTED), **GOOD.objects})) == []


def test_a_drain_is_a_reason_for_another_attempt() -> None:
    assert check(PLAN, evicted()) == []


@pytest.mark.parametrize(
    "struck",
    [replace(DRAINED, host="h2"), replace(DRAINED, ended_ms=BEGAN_MS - 6000), replace(DRAINED, kind="host-cut")],
)
def test_but_not_that_of_another_host_or_time(struck: Struck) -> None:
    assert {one.column for one in check(PLAN, replace(evicted(), struck=[struck]))} == {Column.TWICE}


def test_a_store_that_was_killed_may_have_forgotten_the_eviction() -> None:
    killed = Struck("redis-killed", "", BEGAN_MS, BEGAN_MS + 1000)
    seen = replace(evicted(), jobs=untold(evicted()), struck=[DRAINED, killed])
    assert check(PLAN, seen) == []


def test_of_an_attempt_that_was_evicted_before_the_store_knew_that_it_ran_nothing_is_billed() -> None:
    seen = evicted()
    job = seen.jobs[RESTARTED.job_id]
    never = tuple(move for move in job.history if (move.state, move.attempt) != (State.RUNNING, 1))
    jobs = {**seen.jobs, job.id: job.model_copy(update={"history": never})}
    ledger = [row for row in GOOD.ledger if (row.job_id, row.attempt) != (RESTARTED.job_id, 1)]
    assert check(PLAN, replace(seen, jobs=jobs, ledger=ledger)) == []
    assert {one.column for one in check(PLAN, replace(seen, jobs=jobs))} == {Column.MINUTES}


def stopped_while_evicted(*, done: bool, cause: EndCause) -> Observation:
    plan = planned(5, "stopped")
    job = job_of(plan, end_cause=cause, code=InfoCode.JOB_EVICTED)
    return Observation(
        jobs={plan.job_id: job}, ran=[ran_of(plan)], ledger=bill(plan, 0, 1), struck=[DRAINED],
        objects=objects_of(plan), logs={plan.job_id: log_of(plan)}, stopped={plan.job_id: done},
    )  # fmt: skip


@pytest.mark.parametrize(
    ("done", "cause", "columns"),
    [
        (True, EndCause.STOPPED, set()),
        (False, EndCause.EVICTED, set()),
        (True, EndCause.EVICTED, {Column.END}),
    ],
)
def test_a_stop_that_is_taken_during_an_eviction_has_the_last_word(
    done: bool, cause: EndCause, columns: set[Column]
) -> None:
    plan = Plan(1, (planned(5, "stopped"),), ())
    assert {one.column for one in check(plan, stopped_while_evicted(done=done, cause=cause))} == columns


def stopped_on_a_lost_host(**fields: Any) -> Observation:
    ended = {"state": State.ERROR, "end_cause": EndCause.TIMED_OUT, "exit_code": None, "finished_ms": None, **fields}
    plan = planned(4, "hang")
    return Observation(
        jobs={plan.job_id: job_of(plan, state_ms=BEGAN_MS + 12_000, **ended)}, ran=[ran_of(plan)],
        ledger=bill(plan, 0), workspaces=[Left("h1", plan.job_id, "1.a")], silences=[LOST],
    )  # fmt: skip


def test_of_a_job_that_was_stopped_on_a_lost_host_nothing_is_promised() -> None:
    assert check(Plan(1, (planned(4, "hang"),), ()), stopped_on_a_lost_host()) == []


def test_unless_its_host_was_another() -> None:
    seen = stopped_on_a_lost_host(host="h2")
    columns = {violation.column for violation in check(Plan(1, (planned(4, "hang"),), ()), seen)}
    assert columns == {Column.END, Column.RESULTS, Column.FILES}


def lost_and_then(**fields: Any) -> Observation:
    """Attempt 1 of the stopped job ran on a host that was lost, and its files are there still."""
    plan = planned(5, "stopped")
    lost = AttemptEnd(attempt=1, cause=EndCause.HOST_LOST, host="h1", started_ms=BEGAN_MS)
    job = job_of(plan, attempt=2, fence="2.b", earlier_attempts=[lost], **fields)
    return Observation(
        jobs={plan.job_id: job}, ran=[ran_of(plan)], ledger=bill(plan, 0), silences=[LOST],
        workspaces=[Left("h1", plan.job_id, "1.a")],
    )  # fmt: skip


def test_what_a_lost_host_never_pushed_stays_there_if_nothing_took_its_place() -> None:
    plan = Plan(1, (planned(5, "stopped"),), ())
    waiting = lost_and_then(started_ms=None, finished_ms=None, exit_code=None)
    assert check(plan, waiting) == []
    ran = lost_and_then()
    assert Column.FILES in {violation.column for violation in check(plan, ran)}
