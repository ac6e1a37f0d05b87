"""The table of states is complete, and equals the page that is drawn from it."""

from pathlib import Path

import pytest

from aitrain.domain.diagram import render
from aitrain.domain.states import CAUSES, ENDED, MOVES, STATES, TARGETS, EndCause, State, Step, sources, state_of

# What each state leaves to, as the design says it.
DESIGN = {
    "QUEUED": "INITIALIZING INTERRUPTED ERROR",
    "INITIALIZING": "PENDING INTERRUPTING FAILED ERROR QUEUED",
    "PENDING": "RUNNING INTERRUPTING FAILED ERROR QUEUED",
    "RUNNING": "FINALIZING INTERRUPTING TIMEOUT ERROR QUEUED",
    "INTERRUPTING": "FINALIZING INTERRUPTED ERROR QUEUED",
    "TIMEOUT": "FINALIZING ERROR QUEUED",
    "FINALIZING": "DONE FAILED INTERRUPTED QUEUED ERROR",
    "DONE": "QUEUED",
    "INTERRUPTED": "QUEUED",
    "FAILED": "QUEUED",
    "ERROR": "QUEUED FINALIZING",
}


def test_every_edge_of_the_design_and_no_other() -> None:
    assert {state: set(targets) for state, targets in TARGETS.items()} == {
        State(state): {State(target) for target in targets.split()} for state, targets in DESIGN.items()
    }


def test_no_move_stands_twice() -> None:
    assert len({(move.source, move.target) for move in MOVES}) == len(MOVES)


def test_every_state_has_a_row_and_every_cause_its_end() -> None:
    assert set(STATES) == set(State)
    assert set(CAUSES) == set(EndCause)
    assert all(row.ends in ENDED for row in CAUSES.values())


def test_ended_states_are_the_four() -> None:
    assert {State.DONE, State.INTERRUPTED, State.FAILED, State.ERROR} == ENDED


def test_the_quota_counts_what_the_design_says() -> None:
    counted = {state for state, row in STATES.items() if row.counted}
    assert counted == {State.QUEUED, State.INITIALIZING, State.PENDING, State.RUNNING}


@pytest.mark.parametrize("step", Step)
def test_every_step_is_the_work_of_one_state(step: Step) -> None:
    assert STATES[state_of(step)].step is step


def test_sources_and_targets_agree() -> None:
    assert all((state in TARGETS[source]) for state in State for source in sources(state))


def test_a_late_report_cannot_bring_an_ended_job_back() -> None:
    assert State.FINALIZING in TARGETS[State.ERROR]
    assert State.ERROR not in sources(State.FINALIZING), "only an order may"


def test_the_page_in_docs_is_drawn_from_the_table() -> None:
    page = Path(__file__).parents[3] / "docs" / "reference" / "states.md"
    assert page.read_text() == render(), "run `make docs`"
