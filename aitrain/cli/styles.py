"""How a job's states are shown: their colours, on terminals that have them, and when their code says more."""

from __future__ import annotations

from aitrain.domain.states import STATES, InfoCode, State

STYLES = {
    State.QUEUED: "bright_black",
    State.INITIALIZING: "cyan",
    State.PENDING: "cyan",
    State.RUNNING: "bold blue",
    State.INTERRUPTING: "yellow",
    State.TIMEOUT: "yellow",
    State.FINALIZING: "cyan",
    State.DONE: "bold green",
    State.INTERRUPTED: "bold yellow",
    State.FAILED: "bold red",
    State.ERROR: "bold red",
}


def telling(state: State, code: InfoCode) -> str:
    """A state's info code, if it says more than the state does."""
    return "" if code is STATES[state].code else code
