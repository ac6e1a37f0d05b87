"""How long what could not be pushed stays on this host: by the store's clock, or by ours if it does not know."""

from __future__ import annotations

from dataclasses import dataclass, field

from aitrain.store import Kept, Store
from workers import clock
from workers.workspace import Workspace

# A restart of the agent forgets no more than this of the time for which nobody has claimed a workspace.
NOTE_SECONDS = 60.0
# The store is asked no more often than this about a workspace whose time is not past: there may be many.
ASK_SECONDS = 600.0


@dataclass
class Unclaimed:
    """For how long nobody has claimed workspaces, whose jobs were deleted or are of a store that was lost.

    Time counts while somebody looks, by the machine's own clock: one that is set forward must not cost results.
    """

    seen: dict[str, tuple[float, float]] = field(default_factory=dict)
    noted: dict[str, float] = field(default_factory=dict)

    def seconds(self, workspace: Workspace) -> float:
        """How long that is by now for one of them."""
        now, fence = clock.elapsed(), workspace.fence
        last, seconds = self.seen.get(fence, (now, workspace.unclaimed_s))
        seconds += now - last
        self.seen[fence] = (now, seconds)
        if now - self.noted.get(fence, 0.0) >= NOTE_SECONDS:
            workspace.note_unclaimed(seconds)
            self.noted[fence] = now
        return seconds

    def claimed(self, workspace: Workspace) -> None:
        """The store knows its job, maybe again."""
        self.noted.pop(workspace.fence, None)
        if self.seen.pop(workspace.fence, None) is not None or workspace.unclaimed_s:
            workspace.note_claimed()


@dataclass
class Retention:
    """Says of each workspace that has not been pushed whether its time is past.

    store: the job store; keep_s: how long, in seconds after the job's end, or since its job is unknown; 0 for ever.
    """

    store: Store
    keep_s: int
    _unclaimed: Unclaimed = field(default_factory=Unclaimed)
    _not_before: dict[str, float] = field(default_factory=dict)

    def is_past(self, workspace: Workspace) -> bool:
        """Whether it may be removed. If so, the store has noted that its results are gone. Raises StoreUnavailable."""
        if clock.elapsed() < self._not_before.get(workspace.fence, 0.0):
            return False
        kept = self.ask(workspace, look=False)
        if kept.known:
            self._unclaimed.claimed(workspace)
            left_s = ASK_SECONDS if kept.left_ms is None else kept.left_ms / 1000
            self._not_before[workspace.fence] = clock.elapsed() + min(left_s, ASK_SECONDS)
            return kept.expired
        return self._unclaimed.seconds(workspace) >= self.keep_s > 0

    def ask(self, workspace: Workspace, *, look: bool = True) -> Kept:
        """What the store says of it. look: without giving it up."""
        return self.store.expire_results(workspace.job_id, workspace.fence, 1000 * self.keep_s, look=look)
