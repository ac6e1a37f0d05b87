"""Commands in running jobs, and what these use: the client's side of a session with the agent of a job's host."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from io import TextIOBase
from typing import IO, Any

from aitrain.domain.errors import InvalidInput, JobNotRunning, SessionLost, SessionRefused, StoreUnavailable
from aitrain.domain.spec import ENV_NAME
from aitrain.domain.usage import JobStats
from aitrain.store import Entry, Kind, Side, Store, token
from aitrain.store.sessions import CHUNK_BYTES

# An agent takes a session up at once; one that is busy with its engine does so within this.
TAKE_UP_SECONDS = 15.0
# Several within the silence that ends a session.
BEAT_SECONDS = 2.0
# A beat that is under way when its session ends.
LAST_BEAT_SECONDS = 1.0
FULL_PAUSE_SECONDS = 0.02

Write = Callable[[bytes], object]


class Session:
    """One session, as its client has it. Close it."""

    def __init__(self, store: Store, job_id: str, details: dict[str, Any], silence_s: float) -> None:
        """silence_s: an agent that was silent for so long is gone. Raises JobNotFound, JobNotRunning, SessionLost."""
        self._store, self._job_id, self._silence_s = store, job_id, silence_s
        self._token, self._sent, self._taken = token(), 0, 0
        self._began = time.monotonic()
        self._over, self._sending = threading.Event(), threading.Lock()
        store.open_session(self._token, job_id, details)
        self._beating = threading.Thread(target=self._beat, name="session-beat", daemon=True)
        self._beating.start()

    def _beat(self) -> None:
        # By itself: a slow terminal may hold the reader up for long.
        while not self._over.wait(BEAT_SECONDS):
            with suppress(SessionLost, StoreUnavailable):
                self._store.beat_session(self._token, Side.CLIENT, self._taken)

    def read(self) -> list[Entry]:
        """What came, after a wait of a moment. Raises SessionLost if the agent is gone."""
        entries = self._store.read_session(self._token, Side.CLIENT, self._taken)
        if entries:
            return entries
        silent_ms = self._store.beat_session(self._token, Side.CLIENT, self._taken)
        if silent_ms is None and time.monotonic() - self._began > TAKE_UP_SECONDS:
            raise SessionLost(f"the agent of the host of job {self._job_id} does not take it up: is it running?")
        if silent_ms is not None and silent_ms > self._silence_s * 1000:
            raise SessionLost(f"the agent of the host of job {self._job_id} was lost; its command may run on")
        return []

    def took(self, entry: Entry) -> None:
        """An entry has been dealt with: the agent may send more."""
        self._taken = entry.at
        self._store.beat_session(self._token, Side.CLIENT, self._taken)

    def send(self, kind: Kind, data: bytes = b"") -> None:
        """Sends something, once the agent is not too far behind. Raises SessionLost if the session is over."""
        with self._sending:
            while not self._over.is_set():
                sent = self._store.send_session(self._token, Side.CLIENT, self._sent, kind, data)
                if sent is not None:
                    self._sent = sent
                    return
                self._over.wait(FULL_PAUSE_SECONDS)

    def resize(self, rows: int, columns: int) -> None:
        """Tells the command how large its terminal is."""
        with suppress(SessionLost, StoreUnavailable):
            self.send(Kind.SIZE, json.dumps([rows, columns]).encode())

    def feed(self, stdin: IO[bytes] | bytes) -> None:
        """Sends all input, from a thread of its own."""
        threading.Thread(target=self._feed, args=[stdin], name="session-input", daemon=True).start()

    def _feed(self, stdin: IO[bytes] | bytes) -> None:
        with suppress(SessionLost, StoreUnavailable, OSError, ValueError):
            if isinstance(stdin, bytes):
                for start in range(0, len(stdin), CHUNK_BYTES):
                    self.send(Kind.IN, stdin[start : start + CHUNK_BYTES])
            else:
                # What is there, not what fills a piece: somebody types.
                read = getattr(stdin, "read1", stdin.read)
                while data := read(CHUNK_BYTES):
                    self.send(Kind.IN, data)
            self.send(Kind.EOF)

    def result(self, stdout: Write, stderr: Write) -> bytes:
        """Passes on what the command writes until it ends: what stands in the last entry.

        Raises JobNotRunning, SessionRefused, SessionLost and StoreUnavailable.
        """
        while True:
            for entry in self.read():
                if entry.kind is Kind.OUT:
                    stdout(entry.data)
                elif entry.kind is Kind.ERR:
                    stderr(entry.data)
                elif entry.kind is Kind.FAIL:
                    raise SessionRefused(f"job {self._job_id}: {entry.data.decode(errors='replace')}")
                elif entry.kind is Kind.ENDED:
                    raise JobNotRunning(self._job_id, "does not run any more")
                else:
                    return entry.data
                self.took(entry)

    def close(self) -> None:
        """Ends it; a command that still runs is killed."""
        self._over.set()
        with suppress(StoreUnavailable):
            self._store.drop_session(self._token)
        # Whoever closes it may close the connections next.
        self._beating.join(LAST_BEAT_SECONDS)


def checked_command(command: Sequence[str]) -> tuple[str, ...]:
    """A command as arguments. Raises InvalidInput."""
    if isinstance(command, str) or not command or not all(isinstance(one, str) and "\0" not in one for one in command):
        raise InvalidInput.of("command", "", "is not a list of arguments", 'write it as ["sh", "-c", "..."]')
    return tuple(command)


def checked_stdin(stdin: IO[bytes] | bytes | None) -> IO[bytes] | bytes | None:
    """Input as it is. Raises InvalidInput for text: the command would wait for its end for ever."""
    if stdin is None or isinstance(stdin, bytes) or (hasattr(stdin, "read") and not isinstance(stdin, TextIOBase)):
        return stdin
    remedy = "give bytes, or a file that is open for them, such as sys.stdin.buffer"
    raise InvalidInput.of("stdin", type(stdin).__name__, "is no bytes", remedy)


def checked_env(env: Mapping[str, str] | None) -> dict[str, str]:
    """Variables as they are. Raises InvalidInput, which does not repeat their values."""
    for name, value in (env or {}).items():
        if not isinstance(name, str) or not ENV_NAME.fullmatch(name):
            raise InvalidInput.of("env", name, "is no name of a variable", "use letters, digits and underscores")
        if not isinstance(value, str) or "\0" in value:
            raise InvalidInput.of(f"env.{name}", "", "is no text that a program can receive", "give a text without NUL")
    return dict(env or {})


def nothing(_: bytes) -> None:
    """Drops output."""


class RunningJobs:
    """The part of the client that speaks with running jobs."""

    _store: Store
    _silence_s: float

    def exec(
        self,
        job_id: str,
        command: Sequence[str],
        *,
        tty: bool = False,
        stdin: IO[bytes] | bytes | None = None,
        on_stdout: Write = nothing,
        on_stderr: Write = nothing,
        env: Mapping[str, str] | None = None,
        on_open: Callable[[Session], object] | None = None,
    ) -> int:
        """Runs a command in a RUNNING job, as the job's own user, and waits for its end: its exit code.

        tty: on a terminal, where stderr is part of stdout; stdin: its input, none if not given; on_stdout, on_stderr:
        called with what it writes, and held up, they hold it up; env: variables beside the job's; on_open: called with
        the session, to resize its terminal. 126 and 127: it cannot be run, or is not there. The command is killed when
        this process has been silent for timing.session_silence_seconds. Raises InvalidInput, JobNotFound,
        JobNotRunning (also if the job ends meanwhile), SessionRefused and SessionLost.
        """
        details = {
            "what": "exec", "command": checked_command(command), "env": checked_env(env), "tty": tty,
            "stdin": checked_stdin(stdin) is not None,
        }  # fmt: skip
        session = Session(self._store, job_id, details, self._silence_s)
        try:
            if on_open is not None:
                on_open(session)
            if stdin is not None:
                session.feed(stdin)
            return int(session.result(on_stdout, on_stderr))
        finally:
            session.close()

    def stats(self, job_id: str) -> JobStats:
        """What a RUNNING job uses now; takes a second or two. Raises as exec does."""
        session = Session(self._store, job_id, {"what": "stats"}, self._silence_s)
        try:
            return JobStats.model_validate_json(session.result(nothing, nothing))
        finally:
            session.close()
