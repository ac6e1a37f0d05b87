"""The colours of a job's states, on terminals that have them."""

from __future__ import annotations

from aitrain.domain.states import State

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
