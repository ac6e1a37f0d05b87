"""Does what clients ask of running jobs: commands in them, and what they use."""

from __future__ import annotations

import logging
import threading
import time

from aitrain.domain.errors import AitrainError
from aitrain.store import token
from workers.about import about_job, carrying
from workers.agent.execs import ExecRecords
from workers.agent.looking import Reconcile
from workers.agent.loop import PAUSE_AFTER_ERROR_SECONDS, Loop
from workers.agent.session import Session
from workers.machine import Machine

log = logging.getLogger(__name__)

# For commands to be ended and their clients told, when the agent stops.
FINISH_SECONDS = 5.0
# How often commands are looked for that nobody attends to any more.
UNATTENDED_LOOK_SECONDS = 10.0


class Asks(Loop):
    """Takes up sessions, each in a thread of its own. None before the host has joined."""

    def __init__(self, machine: Machine, stopping: threading.Event, reconcile: Reconcile) -> None:
        super().__init__(machine, stopping)
        self._reconcile, self._holder = reconcile, token()
        self._records = ExecRecords(machine.settings.host.data_dir)
        self._look_at = 0.0
        self._open: list[threading.Thread] = []

    def run_once(self) -> None:
        """Waits a moment for the next one, and takes it up."""
        if time.monotonic() >= self._look_at:
            self._look_at = time.monotonic() + UNATTENDED_LOOK_SECONDS
            self._end_unattended()
        if not self._reconcile.joined.wait(PAUSE_AFTER_ERROR_SECONDS):
            return
        name = self.machine.store.next_ask(self.machine.settings.host.name)
        ask = None if name is None else self.machine.store.take_session(name, self._holder)
        if ask is None:
            return
        self._open = [thread for thread in self._open if thread.is_alive()]
        most = self.machine.settings.host.max_exec_sessions
        session = Session(self.machine, self.stopping, self._records, ask, full=len(self._open) >= most)
        thread = carrying(self._serve, session, name="session")
        self._open.append(thread)
        thread.start()

    def _end_unattended(self) -> None:
        """Ends commands that were left when this host's agent was killed, or could not be ended with their session."""
        for exec_id in self._records.unattended():
            try:
                if self.machine.engine.end_command(exec_id):
                    self._records.forget(exec_id)
                else:
                    # Where the engine has processes of its own, it goes on, and is said again.
                    log.info("command %s, which was left in a job, ran on; it is killed if it can be seen", exec_id)
            except AitrainError as error:
                log.warning("command %s, which was left in a job, is not ended yet: %s", exec_id, error)

    def _serve(self, session: Session) -> None:
        with about_job(session.job_id):
            try:
                session.run()
            except AitrainError as error:
                log.info("a session with job %s ends: %s", session.job_id, error)
            except Exception:
                log.exception("a session with job %s failed unforeseen", session.job_id)

    def finish(self) -> None:
        """Waits until sessions have seen that the agent stops."""
        until = time.monotonic() + FINISH_SECONDS
        for thread in self._open:
            thread.join(max(0.0, until - time.monotonic()))
