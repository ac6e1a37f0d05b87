"""What the agent does, for each pair of what the store wants and what the engine has."""

from __future__ import annotations

import pytest

from aitrain.domain.flavor import Kind
from aitrain.domain.states import STATES, State
from aitrain.store import HostJob
from workers.agent.reconcile import STRANGERS, TABLE, Action, Do, Found, Stranger, reconcile
from workers.runtime import Container

S, F = State, Found


def job(state: State, *, lease: bool = False, started: bool = True, fence: str = "1.a") -> HostJob:
    return HostJob("j", fence, Kind.CPU, "cpu", state, started=started, lease_live=lease)


def container(found: Found, fence: str = "1.a", job_id: str = "j") -> Container:
    started = None if found is F.CREATED else 1000
    ended = 2000 if found is F.EXITED else None
    code = 0 if found is F.EXITED else None
    return Container("c", "n", job_id, fence, found is F.RUNNING, started, ended, code, out_of_memory=False)


# Written out a second time, by state: nothing there, created, running, exited; no step at work, the job had started.
EXPECTED: dict[State, tuple[Do, Do, Do, Do]] = {
    S.INITIALIZING: (Do.NOTHING, Do.NOTHING, Do.ADOPT, Do.REPORT_EXIT),
    S.PENDING: (Do.NOTHING, Do.NOTHING, Do.ADOPT, Do.REPORT_EXIT),
    S.RUNNING: (Do.REPORT_LOST, Do.REPORT_LOST, Do.WATCH, Do.REPORT_EXIT),
    S.INTERRUPTING: (Do.REPORT_LOST, Do.REPORT_LOST, Do.STOP, Do.REPORT_EXIT),
    S.TIMEOUT: (Do.REPORT_LOST, Do.REPORT_LOST, Do.STOP, Do.REPORT_EXIT),
    S.FINALIZING: (Do.NOTHING, Do.NOTHING, Do.STOP, Do.NOTHING),
}


def only(actions: list[Action]) -> Do:
    assert len(actions) <= 1
    return actions[0].do if actions else Do.NOTHING


def test_the_table_is_whole() -> None:
    on_host = {state for state, row in STATES.items() if row.on_host}
    assert TABLE.keys() == on_host == EXPECTED.keys()
    assert all(row.keys() == set(Found) for row in TABLE.values())
    assert STRANGERS.keys() == set(Stranger)
    assert all(row.keys() == set(Found) - {F.NOTHING} for row in STRANGERS.values())


@pytest.mark.parametrize("state", EXPECTED)
@pytest.mark.parametrize("found", list(Found))
def test_every_cell(state: State, found: Found) -> None:
    there = [] if found is F.NOTHING else [container(found)]
    assert only(reconcile([job(state)], there)) is EXPECTED[state][list(Found).index(found)]


@pytest.mark.parametrize(
    ("state", "found", "do"),
    [
        (S.PENDING, F.RUNNING, Do.NOTHING),  # the step itself will say so
        (S.PENDING, F.EXITED, Do.REPORT_EXIT),
        (S.INTERRUPTING, F.NOTHING, Do.NOTHING),  # the step may still start it
        (S.INTERRUPTING, F.CREATED, Do.NOTHING),
        (S.INTERRUPTING, F.RUNNING, Do.STOP),
        (S.RUNNING, F.RUNNING, Do.WATCH),
    ],
)
def test_while_a_step_is_at_work(state: State, found: Found, do: Do) -> None:
    there = [] if found is F.NOTHING else [container(found)]
    assert only(reconcile([job(state, lease=True, started=False)], there)) is do


@pytest.mark.parametrize("found", [F.NOTHING, F.CREATED])
def test_stopped_before_anything_ran(found: Found) -> None:
    there = [] if found is F.NOTHING else [container(found)]
    assert only(reconcile([job(S.INTERRUPTING, started=False)], there)) is Do.NOTHING_RAN


@pytest.mark.parametrize("found", [F.CREATED, F.RUNNING, F.EXITED])
def test_another_attempts_container_is_removed_and_the_jobs_own_is_missed(found: Found) -> None:
    actions = reconcile([job(S.RUNNING, fence="2.b")], [container(found, fence="1.a")])
    assert [action.do for action in actions] == [Do.REMOVE, Do.REPORT_LOST]


@pytest.mark.parametrize("found", [F.CREATED, F.RUNNING, F.EXITED])
def test_a_container_of_a_job_that_is_elsewhere_is_removed(found: Found) -> None:
    actions = reconcile([job(S.RUNNING)], [container(F.RUNNING), container(found, job_id="other")], {"other"})
    assert [action.do for action in actions] == [Do.WATCH, Do.REMOVE]


@pytest.mark.parametrize(("found", "do"), [(F.CREATED, Do.REMOVE), (F.RUNNING, Do.ORPHAN), (F.EXITED, Do.ORPHAN)])
def test_a_container_of_a_job_that_nobody_knows_is_given_time(found: Found, do: Do) -> None:
    assert only(reconcile([], [container(found, job_id="ghost")])) is do
