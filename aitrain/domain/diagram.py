"""Draws the table of states as the page docs/reference/states.md. A test keeps the page equal to the table."""

from __future__ import annotations

from aitrain.domain.states import CAUSES, MOVES, STATES, State

HEAD = """\
# The states of a job

This page is drawn from the one table in `aitrain/domain/states.py`; `make docs` draws it again.
"""


def _yes(flag: bool) -> str:
    return "yes" if flag else ""


def render() -> str:
    """The page, as Markdown with a Mermaid diagram."""
    lines = [HEAD, "```mermaid", "stateDiagram-v2", f"    [*] --> {State.QUEUED}: submit_job"]
    lines += [f"    {move.source} --> {move.target}: {move.when}" for move in MOVES]
    lines += [
        "```",
        "",
        "## States",
        "",
        "| state | meaning | info code | step | in the quota | holds its units |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    lines += [
        f"| {state} | {row.meaning} | `{row.code}` | {f'`{row.step}`' if row.step else ''} "
        f"| {_yes(row.counted)} | {_yes(row.holds_units)} |"
        for state, row in STATES.items()
    ]
    lines += ["", "## Moves", "", "| from | to | when |", "| --- | --- | --- |"]
    lines += [f"| {move.source} | {move.target} | {move.when} |" for move in MOVES]
    lines += [
        "",
        "## End causes",
        "",
        "The cause says why an attempt ended. It is written once, by whoever sees it first, and is kept apart from the "
        "state: a job whose results could not be pushed ends ERROR with `JOB_SYNC_FAILED`, and its cause still says "
        "that the command exited with 0.",
        "",
        "| cause | meaning | ends | info code |",
        "| --- | --- | --- | --- |",
    ]
    lines += [f"| {cause} | {row.meaning} | {row.ends} | `{row.code}` |" for cause, row in CAUSES.items()]
    return "\n".join(lines) + "\n"
