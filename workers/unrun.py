"""Jobs that were told to stop before anything of them ran."""

from __future__ import annotations

from aitrain.domain.retry import Again
from aitrain.domain.states import EndCause, State
from aitrain.store import Moved, Store


def end_unrun(store: Store, job_id: str, fence: str, holder: str | None = None) -> Moved | None:
    """Ends the attempt: an evicted job waits for a host again, one that was stopped is INTERRUPTED. None: too late.

    holder: of the step's lease, if one is held. Which of the two it is the store decides, for an order to stop may have
    come meanwhile; it never turns back into an eviction.
    """
    evicted = store.transition(
        job_id, fence, State.QUEUED, only_from=[State.INTERRUPTING], holder=holder, cause=EndCause.EVICTED,
        again=Again.EVICTED, message="evicted before it ran; it waits for a host again",
    )  # fmt: skip
    if evicted.moved:
        return evicted
    stopped = store.transition(
        job_id, fence, State.INTERRUPTED, only_from=[State.INTERRUPTING], holder=holder, message="stopped before it ran"
    )
    return stopped if stopped.moved else None
