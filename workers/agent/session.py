"""One session of a client with a running job."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from aitrain.domain.errors import AitrainError, SessionLost
from aitrain.domain.flavor import Kind as FlavorKind
from aitrain.domain.usage import stats_of
from aitrain.store import Ask, Entry, Kind, Side
from workers.about import carrying
from workers.agent.execs import ExecRecords
from workers.gpus import gpu_use, look
from workers.machine import Machine
from workers.runtime import Container
from workers.runtime.execs import Exec

# How soon a sender whose client is behind tries again: 256 KiB a time are some 12 MB/s.
FULL_PAUSE_SECONDS = 0.02
# The engine tells the end of a command, and of its container, a little after its output has ended.
END_POLL_SECONDS, END_POLLS = 0.1, 20
# Several within the silence after which a client gives up.
BEAT_SECONDS = 1.0
KILLED = 137


class Session:
    """Does one thing that was asked, and answers."""

    def __init__(
        self, machine: Machine, stopping: threading.Event, records: ExecRecords, ask: Ask, *, full: bool
    ) -> None:
        """full: the host has as many sessions as it may."""
        self._machine, self._stopping, self._records, self._ask = machine, stopping, records, ask
        self._full = full
        self._over = threading.Event()
        self._sent = 0
        self.job_id = ask.job_id

    def run(self) -> None:
        """To its end. Raises SessionLost if the client is gone."""
        try:
            container = self._container()
            if container is None:
                self._send(Kind.ENDED)
            elif self._full:
                self._send(Kind.FAIL, b"its host has as many sessions as it may (host.max_exec_sessions)")
            elif self._ask.details["what"] == "stats":
                self._stats(container)
            else:
                self._exec(container)
        except SessionLost:
            raise
        except AitrainError as error:
            self._send(Kind.FAIL, str(error).encode())

    def _stats(self, container: Container) -> None:
        with self._beating():
            used = self._machine.engine.usage(container)
            job = self._machine.store.get(self.job_id)
            gpus = gpu_use(job.unit_ids, look()) if job.kind is FlavorKind.GPU else ()
        self._send(Kind.STATS, stats_of(*used, gpus).model_dump_json().encode())

    @contextmanager
    def _beating(self) -> Iterator[None]:
        """Tells the client that this side is there, while an engine or a driver takes its time."""
        over = threading.Event()

        def beat() -> None:
            while not over.wait(BEAT_SECONDS):
                with suppress(AitrainError):
                    self._machine.store.beat_session(self._ask.token, Side.AGENT, 0)

        carrying(beat, name="session-beat").start()
        try:
            yield
        finally:
            over.set()

    def _container(self) -> Container | None:
        ask = self._ask
        found = self._machine.engine.of_attempt(ask.job_id, ask.attempt, ask.fence) if ask.runs else None
        return found if found is not None and found.running else None

    def _exec(self, container: Container) -> None:
        asked = self._ask.details
        command = self._machine.engine.command_in(
            container, asked["command"], asked["env"], tty=asked["tty"], stdin=asked["stdin"]
        )
        with self._records.attended(command.id):
            command.start()
            self._attend(command)

    def _attend(self, command: Exec) -> None:
        pump = carrying(self._pump, command, name="session-output")
        pump.start()
        try:
            self._feed(command)
        except AitrainError:
            self._over.set()
            raise
        finally:
            command.kill()
            pump.join()
        if not self._over.is_set():
            self._send(Kind.FAIL, b"the agent of its host stops; the command was ended")

    def _feed(self, command: Exec) -> None:
        """Gives a command its input until it is over, its client is gone or the agent stops."""
        taken = 0
        silence_ms = self._machine.settings.timing.session_silence_seconds * 1000
        while not self._over.is_set() and not self._stopping.is_set():
            for entry in self._machine.store.read_session(self._ask.token, Side.AGENT, taken):
                self._give(command, entry, taken)
                taken = entry.at
            silent_ms = self._machine.store.beat_session(self._ask.token, Side.AGENT, taken)
            if silent_ms is None or silent_ms > silence_ms:
                raise SessionLost("its client is gone")

    def _give(self, command: Exec, entry: Entry, taken: int) -> None:
        if entry.kind is Kind.SIZE:
            command.resize(*json.loads(entry.data))
        elif entry.kind is Kind.EOF:
            command.end_input()
        left = entry.data if entry.kind is Kind.IN else b""
        while left and not self._over.is_set() and not self._stopping.is_set():
            written = command.write(left)
            left = left[written:]
            if not written:
                self._machine.store.beat_session(self._ask.token, Side.AGENT, taken)

    def _pump(self, command: Exec) -> None:
        """Sends what a command writes, and then how it ended."""
        try:
            for of_stderr, data in command.output():
                self._send(Kind.ERR if of_stderr else Kind.OUT, data)
            if self._stopping.is_set():
                return
            code = self._end(command)
            if code is None:
                self._send(Kind.ENDED)
            else:
                self._send(Kind.EXIT, str(code).encode())
            self._over.set()
        except AitrainError:
            if not self._stopping.is_set():
                self._over.set()

    def _end(self, command: Exec) -> int | None:
        """The exit code; None: the job has ended with it."""
        code = None
        for _ in range(END_POLLS):
            if self._container() is None:
                return None
            code = command.exit_code()
            if code is not None and code != KILLED:
                return code
            self._over.wait(END_POLL_SECONDS)
        return code

    def _send(self, kind: Kind, data: bytes = b"") -> None:
        """Sends one entry, once the client is not too far behind. Raises SessionLost if it is gone."""
        while not self._over.is_set() and (kind is Kind.FAIL or not self._stopping.is_set()):
            sent = self._machine.store.send_session(self._ask.token, Side.AGENT, self._sent, kind, data)
            if sent is not None:
                self._sent = sent
                return
            self._over.wait(FULL_PAUSE_SECONDS)
        raise SessionLost("the session is over")
