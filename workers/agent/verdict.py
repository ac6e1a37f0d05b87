"""Why a container ended: the command's own doing, or something that the platform did to it. A pure rule.

Exit codes do not tell. An engine that is restarted without live-restore ends its containers with SIGTERM like a polite
stop, and a job that handles it well exits with 0; that is no success. What the engine remembers of its own doing tells.
"""

from __future__ import annotations

from aitrain.domain.states import EndCause
from workers.runtime import Container, Ending

# What an engine says of a container whose end nobody saw: the machine went down under it.
UNKNOWN = 255
# What shells and init processes mean by these exit codes.
NOT_EXECUTABLE, NOT_FOUND = 126, 127


def end_cause(container: Container, ending: Ending, *, live_restore: bool, rebooted: bool, fenced: bool) -> EndCause:
    """Why a container ended that nobody ordered to stop.

    ending: what the engine remembers; live_restore: its containers outlive it; rebooted: the machine has started since
    the container did; fenced: this host stopped it because it could not reach the store.
    """
    if fenced:
        return EndCause.HOST_CUT_OFF
    # An end that the engine did not see came in its absence. Without live-restore it was most likely its own doing, on
    # its way down. Trying such a job again costs time; taking it for done would be false.
    believed = live_restore and not rebooted and container.exit_code != UNKNOWN
    if ending is Ending.IMPOSED or (ending is Ending.UNSEEN and not believed):
        return EndCause.ENGINE_RESTARTED
    if container.exit_code and (ending is Ending.OUT_OF_MEMORY or container.out_of_memory):
        return EndCause.OUT_OF_MEMORY
    return EndCause.EXIT_CODE if container.exit_code else EndCause.COMPLETED


def message(cause: EndCause, exit_code: int) -> str:
    """The end in a sentence, for people; empty if there is nothing to say."""
    match cause:
        case EndCause.COMPLETED:
            return ""
        case EndCause.OUT_OF_MEMORY:
            return "it was killed because it used more memory than its units bring: ask for more units, or use less"
        case EndCause.STOPPED | EndCause.TIMED_OUT:
            return "it was stopped by order"
        case EndCause.EVICTED:
            return "its host is drained"
        case EndCause.ENGINE_RESTARTED:
            return "the Docker Engine of its host went down and took it along, or somebody killed its container there"
        case EndCause.HOST_CUT_OFF:
            return "its host could not reach the job store and stopped it, so that it would not run twice"
    reason = {NOT_FOUND: ": its program is not in the image", NOT_EXECUTABLE: ": its program may not be executed"}
    return f"the command exited with {exit_code}{reason.get(exit_code, '')}; see its log"
