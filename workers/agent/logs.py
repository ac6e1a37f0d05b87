"""Keeps logs while containers run, and brings what is kept of them to where it belongs."""

from __future__ import annotations

import logging
import threading
from collections import Counter
from contextlib import suppress

from aitrain.domain.errors import AitrainError
from aitrain.domain.job import Job
from workers import clock
from workers.about import about_job, carrying
from workers.agent.acting import Actor
from workers.agent.loop import Loop
from workers.joblog import Shipper, Spool, SpoolBusy, Uploader, end_left, follow, open_spool, spools
from workers.machine import Machine
from workers.runtime import Container

log = logging.getLogger(__name__)

# The engine's stream may hang after it has rotated a log: one that is still is opened again.
IDLE_SECONDS, IDLE_MAX_SECONDS = 5.0, 60.0
# Longer than a store takes to come back from a crash with its last second lost.
ABANDONED_SECONDS = 600.0
PAUSE_SECONDS, PAUSE_MAX_SECONDS = 1.0, 300.0
# Spools of one project: a job's last lines need not wait for another's long log.
AT_ONCE = 4


class Logs(Loop):
    """Follows running containers, each in a thread, and sends their new lines to the store."""

    def __init__(self, machine: Machine, stopping: threading.Event, actor: Actor) -> None:
        super().__init__(machine, stopping)
        self._actor = actor
        self._followers: dict[str, threading.Thread] = {}
        self._shippers: dict[str, Shipper] = {}
        # Their containers have ended, maybe while no agent ran: what their spools have, their readers are to see.
        self._over = {spool.fence: spool for spool in spools(machine.settings.host.data_dir) if not spool.ended}

    def run_once(self) -> None:
        """Begins with containers that are new, and sends."""
        data_dir, watched = self.machine.settings.host.data_dir, self._actor.watched()
        for container in watched:
            follower = self._followers.get(container.id)
            if follower is None or not follower.is_alive():
                self._begin(container)
            self._over[container.fence] = Spool(data_dir, container.job_id, container.fence)
        self._followers = {one: thread for one, thread in self._followers.items() if thread.is_alive()}
        # Looked at before they are sent: what a follower wrote last is sent, too.
        followed = {container.fence for container in watched} | {thread.name for thread in self._followers.values()}
        for fence, spool in list(self._over.items()):
            self._ship(spool)
            if fence not in followed:
                del self._over[fence]
                self._shippers.pop(fence, None)
        self.stopping.wait(self.machine.settings.timing.log_poll_seconds)

    def _ship(self, spool: Spool) -> None:
        if spool.exists:
            shipper = self._shippers.setdefault(
                spool.fence, Shipper(self.machine.store, spool, self.machine.settings.logs)
            )
            shipper.send()

    def _begin(self, container: Container) -> None:
        with about_job(container.job_id, container.fence):
            thread = carrying(self._follow, container, name=container.fence)
        self._followers[container.id] = thread
        thread.start()

    def _follow(self, container: Container) -> None:
        machine, idle_s = self.machine, IDLE_SECONDS
        spool = None
        try:
            project = machine.store.get(container.job_id).project
            spool = open_spool(machine, container.job_id, container.fence, project)
            while not self.stopping.is_set():
                news = follow(machine.engine, container, spool, idle_s, self.stopping.is_set)
                idle_s = IDLE_SECONDS if news else min(2 * idle_s, IDLE_MAX_SECONDS)
                now = machine.engine.find(container.id)
                if now is None or not now.running:
                    return
        except SpoolBusy:
            self.stopping.wait(PAUSE_SECONDS)
        except (AitrainError, OSError) as error:
            log.warning("job %s: its log was not read, trying again: %s", container.job_id, error)
            self.stopping.wait(PAUSE_SECONDS)
        except Exception:
            log.exception("job %s: its log was not read, trying again", container.job_id)
            self.stopping.wait(PAUSE_SECONDS)
        finally:
            if spool is not None:
                spool.close()


class LogUploads(Loop):
    """Brings closed parts of logs to the object store, and removes spools that are done."""

    def __init__(self, machine: Machine, stopping: threading.Event) -> None:
        super().__init__(machine, stopping)
        self._uploader = Uploader(machine)
        # When spools that could not be uploaded are tried again, and after which pause: one project's store that is
        # away does not hold up the others' logs.
        self._again: dict[str, tuple[float, float]] = {}
        # By fence: whose spool is being brought there, and for which project.
        self._under_way: dict[str, tuple[threading.Thread, str]] = {}

    def run_once(self) -> None:
        """Begins with spools that are due, each in a thread: a store that does not answer holds up only its own."""
        self._under_way = {fence: way for fence, way in self._under_way.items() if way[0].is_alive()}
        due = [spool for spool in spools(self.machine.settings.host.data_dir) if self._is_due(spool)]
        jobs = {job.id: job for job in self.machine.store.get_many(sorted({spool.job_id for spool in due}))}
        busy = Counter(project for _, project in self._under_way.values())
        for spool in due:
            project = spool.project
            if busy[project] < AT_ONCE:
                busy[project] += 1
                self._begin(spool, project, jobs.get(spool.job_id))
        self.stopping.wait(PAUSE_SECONDS)

    def _begin(self, spool: Spool, project: str, job: Job | None) -> None:
        with about_job(spool.job_id, spool.fence):
            thread = carrying(self._bring, spool, job, name=f"log {spool.fence}")
        self._under_way[spool.fence] = thread, project
        thread.start()

    def _bring(self, spool: Spool, job: Job | None) -> None:
        try:
            self._settle(spool, job)
            self._again.pop(spool.fence, None)
        except SpoolBusy:
            return
        except (AitrainError, OSError) as error:
            self._try_again(spool)
            log.warning("job %s: its log is not in the object store yet: %s", spool.job_id, error)
        except Exception:
            self._try_again(spool)
            log.exception("job %s: its log is not in the object store yet", spool.job_id)

    def _try_again(self, spool: Spool) -> None:
        _, pause_s = self._again.get(spool.fence, (0.0, PAUSE_SECONDS / 2))
        pause_s = min(2 * pause_s, PAUSE_MAX_SECONDS)
        self._again[spool.fence] = clock.elapsed() + pause_s, pause_s

    def _is_due(self, spool: Spool) -> bool:
        if spool.fence in self._under_way or clock.elapsed() < self._again.get(spool.fence, (0.0, 0.0))[0]:
            return False
        with suppress(FileNotFoundError):  # a step may make it just now
            return spool.ended or bool(spool.closed()) or spool.idle_seconds >= ABANDONED_SECONDS
        return False

    def _settle(self, spool: Spool, job: Job | None) -> None:
        if job is None:
            if self.machine.store.was_deleted(spool.job_id):
                spool.remove()
                return
            # Maybe of a store that was lost: kept as long as results that nobody claims.
            keep_s = self.machine.settings.limits.results_retention_seconds
            if spool.idle_seconds >= keep_s > 0:
                log.warning("job %s: nobody knows it; its log was kept for its time, and is removed now", spool.job_id)
                spool.remove()
            return
        is_over = job.ended or job.fence != spool.fence
        if is_over and not spool.ended and spool.idle_seconds >= ABANDONED_SECONDS:
            end_left(self.machine, spool)
        ended = spool.ended
        self._uploader.upload(spool)
        if ended and not spool.closed():
            spool.remove()
