"""Keeps logs while containers run, and brings what is kept of them to where it belongs."""

from __future__ import annotations

import logging
import threading

from aitrain.domain.errors import AitrainError
from workers.agent.acting import Actor
from workers.agent.loop import Loop
from workers.joblog import Spool, SpoolBusy, Uploader, follow, send_new, spools
from workers.machine import Machine
from workers.runtime import Container

log = logging.getLogger(__name__)

# The engine's stream may hang after it has rotated a log: one that is still is opened again.
IDLE_SECONDS, IDLE_MAX_SECONDS = 5.0, 60.0
# Longer than a store takes to come back from a crash with its last second lost.
ABANDONED_SECONDS = 600.0
PAUSE_SECONDS, PAUSE_MAX_SECONDS = 1.0, 300.0


class Logs(Loop):
    """Follows running containers, each in a thread, and sends their new lines to the store."""

    def __init__(self, machine: Machine, stopping: threading.Event, actor: Actor) -> None:
        super().__init__(machine, stopping)
        self._actor = actor
        self._followers: dict[str, threading.Thread] = {}
        self._sent: dict[str, int | None] = {}

    def run_once(self) -> None:
        """Begins with containers that are new, and sends."""
        watched = {container.id: container for container in self._actor.watched()}
        for container_id, container in watched.items():
            follower = self._followers.get(container_id)
            if follower is None or not follower.is_alive():
                self._begin(container)
        self._followers = {one: thread for one, thread in self._followers.items() if thread.is_alive()}
        spooled = {container.fence: container for container in watched.values()}
        self._sent = {fence: first for fence, first in self._sent.items() if fence in spooled}
        for fence, container in spooled.items():
            spool = Spool(self.machine.settings.host.data_dir, container.job_id, fence)
            if spool.exists:
                self._sent[fence] = send_new(
                    self.machine.store, spool, self.machine.settings.logs, self._sent.get(fence)
                )
        self.stopping.wait(self.machine.settings.timing.log_poll_seconds)

    def _begin(self, container: Container) -> None:
        thread = threading.Thread(target=self._follow, args=(container,), name="log", daemon=True)
        self._followers[container.id] = thread
        thread.start()

    def _follow(self, container: Container) -> None:
        machine, logs = self.machine, self.machine.settings.logs
        spool, idle_s = Spool(machine.settings.host.data_dir, container.job_id, container.fence), IDLE_SECONDS
        try:
            project = machine.store.get(container.job_id).project
            spool.lock(project=project, segment_bytes=logs.segment_bytes, spool_bytes=logs.spool_bytes)
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
            spool.close()


class LogUploads(Loop):
    """Brings closed parts of logs to the object store, and removes spools that are done."""

    def __init__(self, machine: Machine, stopping: threading.Event) -> None:
        super().__init__(machine, stopping)
        self._uploader, self._pause_s = Uploader(machine), PAUSE_SECONDS

    def run_once(self) -> None:
        """One round."""
        failed = False
        for spool in spools(self.machine.settings.host.data_dir):
            try:
                if not spool.ended:
                    self._end_if_abandoned(spool)
                ended = spool.ended
                self._uploader.upload(spool)
                if ended and not spool.closed():
                    spool.remove()
            except (AitrainError, OSError, KeyError) as error:
                failed = True
                log.warning("job %s: its log is not in the object store yet: %s", spool.job_id, error)
        self._pause_s = min(2 * self._pause_s, PAUSE_MAX_SECONDS) if failed else PAUSE_SECONDS
        self.stopping.wait(self._pause_s)

    def _end_if_abandoned(self, spool: Spool) -> None:
        """An attempt that the store does not know any more, of a lost host or a deleted job, has no one to end it."""
        if spool.idle_seconds < ABANDONED_SECONDS or self.machine.store.log_stand(spool.job_id, spool.fence).known:
            return
        logs = self.machine.settings.logs
        try:
            spool.lock(project="", segment_bytes=logs.segment_bytes, spool_bytes=logs.spool_bytes)
            spool.mark_ended()
        except SpoolBusy:
            return
        finally:
            spool.close()
