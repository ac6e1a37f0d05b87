"""Where an ended attempt leads: to the job's end, or to another attempt after a pause."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from aitrain.domain.flavor import Kind
from aitrain.domain.job import Job
from aitrain.domain.retry import Again, Pauses, outcome
from aitrain.domain.spec import JobSpec
from aitrain.domain.states import CAUSES, EndCause, InfoCode, State

PAUSES = Pauses(first_s=10, longest_s=60)
C = EndCause


def job(spec: dict[str, Any] | None = None, **fields: Any) -> Job:
    values: dict[str, Any] = {
        "id": "j", "spec": JobSpec.of(image="x", **(spec or {})), "state": State.FINALIZING, "attempt": 1,
        "fence": "1.a", "flavor": "cpu", "kind": Kind.CPU, "units": 1, "hourly_price": Decimal(1), "timeout_s": 9,
        "auto_restart": False, "created_ms": 0, "state_ms": 0, "code": InfoCode.JOB_FINALIZING,
        "platform_retries": 2, "priority": 50, **fields,
    }  # fmt: skip
    return Job(**values)


def test_pauses_double_up_to_the_longest() -> None:
    assert [PAUSES.after(tries) for tries in range(5)] == [10, 20, 40, 60, 60]
    assert PAUSES.after(10**9) == 60


@pytest.mark.parametrize("cause", [cause for cause in C if CAUSES[cause].platform])
def test_the_platforms_faults_are_tried_again_up_to_the_limit(cause: EndCause) -> None:
    first = outcome(job(), cause, PAUSES, message="m")
    assert (first.state, first.again, first.pause_ms) == (State.QUEUED, Again.PLATFORM, 10_000)
    assert first.message == "m; retry 1 of 2 in 10 s"
    last = outcome(job(platform_tries=2), cause, PAUSES, message="m")
    assert (last.state, last.again) == (State.ERROR, None)
    assert last.message == "m; given up after 2 retries"


def test_every_cause_is_the_users_or_the_platforms() -> None:
    ours = {C.DATA_FAULT, C.REGISTRY_UNAVAILABLE, C.ENGINE_FAULT, C.CONTAINER_LOST, C.ENGINE_RESTARTED, C.HOST_CUT_OFF,
            C.HOST_LOST, C.PLATFORM_FAULT, C.GPU_FAULT}  # fmt: skip
    assert {cause for cause in C if CAUSES[cause].platform} == ours


@pytest.mark.parametrize("cause", [C.DATA_REFUSED, C.IMAGE_REFUSED, C.START_REFUSED])
def test_the_users_own_are_not(cause: EndCause) -> None:
    assert outcome(job({"max_retries": 5}), cause, PAUSES, message="m").state is State.FAILED


@pytest.mark.parametrize(
    ("spec", "cause", "code", "again"),
    [
        ({}, C.EXIT_CODE, 1, False),
        ({"max_retries": 1}, C.EXIT_CODE, 1, True),
        ({"max_retries": 1}, C.OUT_OF_MEMORY, 137, True),
        ({"max_retries": 1, "retry_exit_codes": [75]}, C.EXIT_CODE, 1, False),
        ({"max_retries": 1, "retry_exit_codes": [75]}, C.EXIT_CODE, 75, True),
        ({"max_retries": 1}, C.COMPLETED, 0, False),
        ({"max_retries": 1}, C.TIMED_OUT, 143, False),
    ],
)
def test_exit_codes(spec: dict[str, Any], cause: EndCause, code: int, again: bool) -> None:
    came = outcome(job(spec), cause, PAUSES, message="", exit_code=code)
    assert (came.state is State.QUEUED) == again
    if again:
        assert came.again is Again.OWN
        assert outcome(job(spec, own_tries=1), cause, PAUSES, message="", exit_code=code).state is State.FAILED


def test_a_timeout_with_auto_restart_begins_anew_at_once() -> None:
    came = outcome(job(auto_restart=True, platform_tries=2), C.TIMED_OUT, PAUSES, message="m")
    assert (came.state, came.again, came.pause_s) == (State.QUEUED, Again.RESTART, 0)
    assert outcome(job(), C.TIMED_OUT, PAUSES, message="m").state is State.INTERRUPTED
    slowly = Pauses(10, 60, restart_s=60)
    assert outcome(job(auto_restart=True), C.TIMED_OUT, slowly, message="m").pause_s == 51, "its timeout is 9 s"


@pytest.mark.parametrize("cause", list(C))
def test_what_somebody_stopped_never_runs_again(cause: EndCause) -> None:
    stopped = job({"max_retries": 5}, auto_restart=True, stop_asked=True)
    came = outcome(stopped, cause, PAUSES, message="m", exit_code=1)
    assert (came.state, came.message) == (CAUSES[cause].ends, "m")


def test_a_drain_does_not_use_the_retries_up() -> None:
    came = outcome(job(platform_tries=2, evictions=7), C.EVICTED, PAUSES, message="m")
    assert (came.state, came.again, came.pause_s) == (State.QUEUED, Again.EVICTED, 0)


def test_a_job_that_must_not_begin_twice_ends_where_it_is_evicted() -> None:
    came = outcome(job({"platform_retries": 0}), C.EVICTED, PAUSES, message="m")
    assert (came.state, came.code) == (State.INTERRUPTED, InfoCode.JOB_EVICTED)
