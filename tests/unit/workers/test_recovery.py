"""What becomes of a job whose host is lost, from where it was."""

from __future__ import annotations

from typing import Any

import pytest

from aitrain.domain.states import TARGETS, InfoCode, State
from tests.unit.domain.test_retry import PAUSES, job
from workers.recovery import after_loss

S = State


@pytest.mark.parametrize(
    ("state", "fields", "to"),
    [
        (S.INITIALIZING, {}, S.QUEUED),
        (S.PENDING, {}, S.QUEUED),
        (S.INITIALIZING, {"platform_retries": 0}, S.QUEUED),
        (S.PENDING, {"platform_retries": 0, "starting": True}, S.ERROR),
        (S.RUNNING, {"started_ms": 1}, S.QUEUED),
        (S.RUNNING, {"started_ms": 1, "platform_tries": 2}, S.ERROR),
        (S.RUNNING, {"started_ms": 1, "platform_retries": 0}, S.ERROR),
        (S.INTERRUPTING, {"stop_asked": True}, S.INTERRUPTED),
        (S.INTERRUPTING, {"stop_asked": True, "starting": True}, S.ERROR),
        (S.INTERRUPTING, {"stop_asked": True, "started_ms": 1}, S.ERROR),
        (S.INTERRUPTING, {"evicting": True}, S.QUEUED),
        (S.INTERRUPTING, {"evicting": True, "started_ms": 1}, S.QUEUED),
        (S.INTERRUPTING, {"evicting": True, "started_ms": 1, "platform_retries": 0}, S.ERROR),
        (S.TIMEOUT, {"started_ms": 1}, S.ERROR),
        (S.TIMEOUT, {"started_ms": 1, "auto_restart": True}, S.QUEUED),
        (S.TIMEOUT, {"started_ms": 1, "auto_restart": True, "stop_asked": True}, S.ERROR),
        (S.FINALIZING, {"started_ms": 1}, S.ERROR),
    ],
)
def test_every_state_has_a_way(state: State, fields: dict[str, Any], to: State) -> None:
    came = after_loss(job(state=state, host="h1", **fields), PAUSES)
    assert came.state is to
    assert to in TARGETS[state], "and the table allows it"
    if to is not S.INTERRUPTED:
        assert "its host h1 was lost" in came.message
    if state is S.FINALIZING:
        assert came.code is InfoCode.JOB_SYNC_FAILED


@pytest.mark.parametrize("state", [S.INITIALIZING, S.PENDING, S.INTERRUPTING])
def test_what_had_not_run_waits_again_at_once_whatever_its_policy(state: State) -> None:
    came = after_loss(job({"on_host_loss": "fail"}, state=state, evicting=state is S.INTERRUPTING), PAUSES)
    assert (came.state, came.pause_s) == (S.QUEUED, 0)


@pytest.mark.parametrize("state", [S.PENDING, S.RUNNING, S.INTERRUPTING])
def test_what_ran_ends_if_its_policy_says_so(state: State) -> None:
    lost = job({"on_host_loss": "fail"}, state=state, starting=True, evicting=state is S.INTERRUPTING)
    came = after_loss(lost, PAUSES)
    assert (came.state, came.code) == (S.ERROR, InfoCode.JOB_EVICTED)
