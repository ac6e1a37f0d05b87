"""Why a container ended: the command's own doing, or something that the platform did to it. A pure rule.

Exit codes do not tell. An engine that is restarted without live-restore ends its containers with SIGTERM like a polite
stop, and a job that handles it well exits with 0; that is no success. What the engine remembers of its own doing tells.
"""

from __future__ import annotations

from aitrain.domain.states import EndCause
from workers.runtime import Container, Ending

# What is left when nobody asked the process: SIGTERM, SIGKILL, and "unknown" (a machine that went down under it).
TERMINATED, KILLED, UNKNOWN = 143, 137, 255
# What shells and init processes mean by these exit codes.
NOT_EXECUTABLE, NOT_FOUND = 126, 127


def end_cause(container: Container, ending: Ending, *, live_restore: bool, fenced: bool, watched: bool) -> EndCause:
    """Why a container ended that nobody ordered to stop.

    ending: what the engine remembers; live_restore: its containers outlive it; fenced: this host stopped it because it
    could not reach the store; watched: this agent had seen it run, so that it ended while the engine was away.
    """
    if fenced:
        return EndCause.HOST_CUT_OFF
    unseen = ending is Ending.UNSEEN
    if ending is Ending.IMPOSED or (unseen and _went_down_with_the_engine(container, live_restore, watched)):
        return EndCause.ENGINE_RESTARTED
    if container.out_of_memory and container.exit_code:
        return EndCause.OUT_OF_MEMORY
    return EndCause.EXIT_CODE if container.exit_code else EndCause.COMPLETED


def _went_down_with_the_engine(container: Container, live_restore: bool, watched: bool) -> bool:
    if container.exit_code == UNKNOWN:
        return True
    # Without live-restore whatever ended in the engine's absence was most likely ended by it. Trying it again costs
    # time; taking it for done would be false. An agent that was away itself has the exit code only.
    return not live_restore and (watched or container.exit_code in (TERMINATED, KILLED))


def message(cause: EndCause, exit_code: int) -> str:
    """The end in a sentence, for people; empty if there is nothing to say."""
    match cause:
        case EndCause.COMPLETED:
            return ""
        case EndCause.OUT_OF_MEMORY:
            return "it was killed because it used more memory than its units bring: ask for more units, or use less"
        case EndCause.ENGINE_RESTARTED:
            return "the Docker Engine of its host went down and took it along, or somebody killed its container there"
        case EndCause.HOST_CUT_OFF:
            return "its host could not reach the job store and stopped it, so that it would not run twice"
    reason = {NOT_FOUND: ": its program is not in the image", NOT_EXECUTABLE: ": its program may not be executed"}
    return f"the command exited with {exit_code}{reason.get(exit_code, '')}; see its log"
