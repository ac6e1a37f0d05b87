"""Tells running jobs how their timeout stands, warns them before it, and hears those that ask for more time."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from aitrain.domain.admission import timeout_problem
from aitrain.domain.errors import AitrainError
from aitrain.domain.states import State
from aitrain.store import HostJob
from workers.about import about_job
from workers.agent.loop import Loop
from workers.control import Clock
from workers.machine import Machine
from workers.workspace import Workspace

log = logging.getLogger(__name__)

LOOK_SECONDS = 1.0
# A project's limit may be raised meanwhile.
ASK_AGAIN_SECONDS = 30.0


@dataclass(frozen=True)
class Refusal:
    """What a job asked for in vain, and until what monotonic time it is not looked at again."""

    wanted_s: int
    why: str
    until: float


class TimeKeeper(Loop):
    """One duty: the control directories of the running jobs."""

    def __init__(
        self, machine: Machine, stopping: threading.Event, orders: Callable[[], tuple[float, Sequence[HostJob]]]
    ) -> None:
        """orders: what the last heartbeat brought, and at what monotonic time it was asked."""
        super().__init__(machine, stopping)
        self._orders = orders
        self._refused: dict[str, Refusal] = {}

    def run_once(self) -> None:
        """Looks after each running job."""
        asked, jobs = self._orders()
        running = [job for job in jobs if job.state is State.RUNNING]
        self._refused = {job.fence: self._refused[job.fence] for job in running if job.fence in self._refused}
        for job in running:
            with about_job(job.job_id, job.fence):
                try:
                    self._look_after(job, asked)
                except (AitrainError, OSError) as error:
                    log.warning("job %s: its control directory could not be kept: %s", job.job_id, error)
                except Exception:  # one job must not cost the others their warnings
                    log.exception("job %s: its control directory could not be kept", job.job_id)
        self.stopping.wait(min(LOOK_SECONDS, self.machine.settings.timing.heartbeat_seconds))

    def _look_after(self, job: HostJob, asked: float) -> None:
        control = Workspace(self.machine.settings.host.data_dir, job.job_id, job.fence).control
        if not control.told.is_dir():
            return
        answer = self._hear(job, control.wanted_timeout_s())
        if job.left_ms is None:
            control.tell(Clock(job.timeout_s, None, answer))
            control.take_warning_back()
            return
        left_s = job.left_ms / 1000 - (time.monotonic() - asked)
        # Whole seconds, so that the store's answers of the same deadline do not write the file each time.
        deadline = datetime.fromtimestamp(round(time.time() + left_s), UTC)
        control.tell(Clock(job.timeout_s, deadline, answer))
        # A short job is not warned before it could begin.
        lead_s = min(job.warning_s, job.timeout_s / 2)
        if left_s > lead_s:
            control.take_warning_back()
        elif lead_s and not control.warned:
            control.warn(deadline)
            self._signal(job)
            control.warning_given()
            log.info("job %s: warned %.0f s before its timeout", job.job_id, left_s)

    def _signal(self, job: HostJob) -> None:
        if not job.warning_signal:
            return
        attempt = int(job.fence.partition(".")[0])
        container = self.machine.engine.of_attempt(job.job_id, attempt, job.fence)
        if container is not None and container.running:
            self.machine.engine.signal(container, job.warning_signal)

    def _hear(self, job: HostJob, wanted_s: int | None) -> str:
        """What is answered to a job that asks for so many seconds in all."""
        if wanted_s is None:
            return ""
        if wanted_s == job.asked_s:
            # It was granted once. Somebody may have changed it since, and that stands.
            return "granted" if wanted_s == job.timeout_s else "granted, and changed since"
        known = self._refused.get(job.fence)
        if known is not None and known.wanted_s == wanted_s and time.monotonic() < known.until:
            return known.why
        project = self.machine.store.get(job.job_id).project
        own_s = self.machine.store.timeout_limit(project)
        longest_s = self.machine.settings.limits.max_timeout_seconds if own_s is None else own_s
        problem = timeout_problem(wanted_s, longest_s)
        if problem is not None:
            return self._refuse(job, wanted_s, f"refused: {problem}")
        edited = self.machine.store.edit(job.job_id, fence=job.fence, timeout_s=wanted_s, by_job=True)
        if edited.why == "shorter":
            return self._refuse(job, wanted_s, "refused: it may only ask for more than it has")
        if edited.why == "budget":
            return self._refuse(job, wanted_s, "refused: its project's budget does not allow for it")
        if not edited.done:
            return ""
        log.info("job %s: asked for a timeout of %d s and got it", job.job_id, wanted_s)
        return ""  # said with the next heartbeat, which brings the new deadline

    def _refuse(self, job: HostJob, wanted_s: int, why: str) -> str:
        self._refused[job.fence] = Refusal(wanted_s, why, time.monotonic() + ASK_AGAIN_SECONDS)
        log.info("job %s: asked for a timeout of %d s: %s", job.job_id, wanted_s, why)
        return why
