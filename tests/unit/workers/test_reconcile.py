"""What the agent does, for each pair of what the store wants and what the engine has."""

from __future__ import annotations

import pytest

from aitrain.domain.flavor import Kind
from aitrain.domain.states import STATES, State
from aitrain.store import HostJob
from workers.agent.reconcile import (
    Action,
    Adopt,
    NothingRan,
    Remove,
    ReportExit,
    ReportLost,
    Stop,
    Watch,
    reconcile,
)
from workers.runtime import Container

S = State


def job(state: State, *, lease: bool = False, started: bool = True) -> HostJob:
    return HostJob("j", "1.a", Kind.CPU, "cpu", state, started, lease, resend=False)


def container(kind: str, fence: str = "1.a") -> Container:
    started = None if kind == "created" else 1000
    ended = 2000 if kind == "exited" else None
    code = 0 if kind == "exited" else None
    return Container("c", "n", "j", fence, kind == "running", started, ended, code, out_of_memory=False)


# state -> what is done with a container that is created, running, exited, or not there at all; no step at work.
TABLE: dict[State, tuple[type[Action] | None, ...]] = {
    S.INITIALIZING: (None, None, None, None),
    S.PENDING: (None, Adopt, ReportExit, None),
    S.RUNNING: (ReportLost, Watch, ReportExit, ReportLost),
    S.INTERRUPTING: (ReportLost, Stop, ReportExit, ReportLost),
    S.TIMEOUT: (ReportLost, Stop, ReportExit, ReportLost),
    S.FINALIZING: (None, Stop, None, None),
}


def only(actions: list[Action]) -> type[Action] | None:
    assert len(actions) <= 1
    return type(actions[0]) if actions else None


def test_the_table_covers_every_state_in_which_a_host_has_work() -> None:
    assert set(TABLE) == {state for state, row in STATES.items() if row.on_host}


@pytest.mark.parametrize("state", TABLE)
@pytest.mark.parametrize(("column", "kind"), list(enumerate(["created", "running", "exited", "none"])))
def test_each_cell(state: State, column: int, kind: str) -> None:
    found = [] if kind == "none" else [container(kind)]
    assert only(reconcile([job(state)], found)) is TABLE[state][column]


@pytest.mark.parametrize("kind", ["created", "running", "exited"])
@pytest.mark.parametrize("state", TABLE)
def test_a_container_of_another_attempt_is_removed(state: State, kind: str) -> None:
    assert Remove(container(kind, "1.old")) in reconcile([job(state)], [container(kind, "1.old")])


@pytest.mark.parametrize("kind", ["created", "running", "exited"])
def test_a_container_of_a_job_that_is_over_is_removed(kind: str) -> None:
    assert only(reconcile([], [container(kind)])) is Remove


def test_a_step_at_work_is_left_to_its_work() -> None:
    assert reconcile([job(S.PENDING, lease=True, started=False)], [container("running")]) == []
    assert reconcile([job(S.INTERRUPTING, lease=True, started=False)], []) == []
    assert reconcile([job(S.INTERRUPTING, lease=True, started=False)], [container("created")]) == []


def test_a_job_stopped_before_it_ran_is_interrupted_once_no_step_is_at_it() -> None:
    assert only(reconcile([job(S.INTERRUPTING, started=False)], [])) is NothingRan
    assert only(reconcile([job(S.INTERRUPTING, started=False)], [container("created")])) is NothingRan
    assert only(reconcile([job(S.INTERRUPTING, started=False)], [container("exited")])) is ReportExit
