"""Removes what ended attempts left on this host's disk."""

from __future__ import annotations

import logging
import threading
import time
from contextlib import suppress

from aitrain.domain.errors import StoreUnavailable
from workers.about import about_job
from workers.agent.loop import Loop
from workers.datasync import MIB
from workers.machine import Machine
from workers.retention import Retention
from workers.workspace import remove_old_receipts, settled_workspaces, superseded, unsettled_attempts

log = logging.getLogger(__name__)

EVICTION_SECONDS = 600


class CleanUp(Loop):
    """Removes workspaces that were to be removed and were not, those of attempts that another one has made good, and
    those whose time is past.

    It may take long, so nothing waits for it.
    """

    def __init__(self, machine: Machine, stopping: threading.Event) -> None:
        super().__init__(machine, stopping)
        self._retention = Retention(machine.store, machine.settings.limits.results_retention_seconds)
        self._evict_at = 0.0

    @property
    def patience_s(self) -> None:
        """A directory with a million files takes long to remove."""
        return

    def run_once(self) -> None:
        """Removes what there is."""
        host = self.machine.settings.host
        self._settle_what_is_over()
        for workspace in settled_workspaces(host.data_dir):
            # Asked anew for each: removing a large one takes minutes, and meanwhile another may be wanted again.
            if not self._is_wanted(workspace.job_id, workspace.fence):
                with about_job(workspace.job_id, workspace.fence):
                    workspace.remove()
        remove_old_receipts(host.data_dir)
        self._evict()
        self.stopping.wait(self.machine.settings.timing.reconcile_seconds)

    def _evict(self) -> None:
        """Makes room where running jobs have filled the disk; what is idle goes now and then, since that walks all."""
        disk = self.machine.disk
        if shortage := disk.room.shortage:
            disk.cache.make_room(shortage)
        idle_s = self.machine.settings.timing.cache_idle_seconds
        if not idle_s or time.monotonic() < self._evict_at:
            return
        self._evict_at = time.monotonic() + min(EVICTION_SECONDS, idle_s)
        freed = disk.cache.evict_idle(idle_s)
        with suppress(StoreUnavailable):  # it is told again
            held = {project: disk.cache.size(project)[1] for project in disk.cache.projects()}
            self.machine.store.tell_cached(self.machine.settings.host.name, held)
        if freed:
            log.info("%.1f MiB that no job has read for %g s left the cache", freed / MIB, idle_s)

    def _is_wanted(self, job_id: str, fence: str) -> bool:
        jobs = self.machine.store.host_jobs(self.machine.settings.host.name, job_id) or ()
        return any(job.fence == fence for job in jobs)

    def _settle_what_is_over(self) -> None:
        """A host that was lost comes back with attempts that are over.

        What they had not pushed is needed no more once a later attempt has run to its end, or if nothing of them ever
        ran. All else stays for the time of retention.
        """
        left = list(unsettled_attempts(self.machine.settings.host.data_dir))
        jobs = {job.id: job for job in self.machine.store.get_many(sorted({attempt.job_id for attempt in left}))}
        for attempt in left:
            job = jobs.get(attempt.job_id)
            with about_job(attempt.job_id, attempt.fence):
                if job is not None and superseded(job, attempt.fence):
                    log.info("job %s: what attempt %s left here is needed no more", attempt.job_id, attempt.fence)
                    attempt.settle()
                elif (job is None or job.ended) and self._retention.is_past(attempt):
                    log.warning(
                        "job %s: what attempt %s could not push was kept for its time, and is removed now",
                        attempt.job_id, attempt.fence,
                    )  # fmt: skip
                    attempt.settle()
