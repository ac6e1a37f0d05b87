"""What whoever waits for a job is told meanwhile."""

from __future__ import annotations

import time
from collections.abc import Callable

from aitrain.domain.errors import AitrainError, SchemaMismatch, WaitTimeout
from aitrain.domain.job import HistoryEntry, Job

# A job store that is restarted, upgraded or replaced is away for minutes: whoever follows a job goes on after them.
AWAY_SECONDS = 900.0


class Patience:
    """With a job store or a broker that is away: whoever follows something asks after each failure."""

    def __init__(self) -> None:
        self._since: float | None = None

    def answered(self) -> None:
        """What was away, if anything was, is there again."""
        self._since = None

    def bears(self, error: AitrainError) -> bool:
        """Whether it has not been away for too long, and may come back. error: how it was met."""
        if isinstance(error, SchemaMismatch) and error.for_good:
            return False
        now = time.monotonic()
        if self._since is None:
            self._since = now
        return now - self._since <= AWAY_SECONDS


class Watch:
    """Tells each state once, each progress when it changes. Look at the job every now and then."""

    def __init__(
        self,
        timeout: float | None,
        on_change: Callable[[HistoryEntry], None] | None,
        on_progress: Callable[[Job], None] | None,
    ) -> None:
        """timeout: seconds from now; the others: see Client.wait."""
        self._timeout = timeout
        self._deadline = None if timeout is None else time.monotonic() + timeout
        self._on_change, self._on_progress = on_change, on_progress
        self._told = 0
        self._shown: object = None

    @property
    def late(self) -> bool:
        """Whether nobody waits any longer."""
        return self._deadline is not None and time.monotonic() >= self._deadline

    def over(self, job: Job) -> bool:
        """Tells what is new, and whether the job has ended. Raises WaitTimeout."""
        for entry in job.history[self._told :]:
            if self._on_change is not None:
                self._on_change(entry)
        self._told = len(job.history)
        if self._on_progress is not None and self._shown != (job.state, job.copying, job.progress):
            self._shown = (job.state, job.copying, job.progress)
            self._on_progress(job)
        if not job.ended and self.late:
            raise WaitTimeout(f"job {job.id} is {job.state} after {self._timeout} s; it goes on")
        return job.ended
