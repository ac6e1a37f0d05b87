"""Runs a program over content that nobody vouches for: as the job's user, within limits, never past a stop order."""

from __future__ import annotations

import os
import selectors
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO

# A stop order ends the program after no more than this.
POLL_SECONDS = 0.2
READ_BYTES = 65_536
# The end of what it complains; a hostile server may have it say anything, for hours.
COMPLAINT_BYTES = 8192
MIB = 1024**2


@dataclass(frozen=True)
class Bounds:
    """What a program may take. memory_mib: of its own, without files that it maps; file_mib: for each file it writes;
    until: on time.monotonic(), in seconds.
    """

    memory_mib: int
    file_mib: int
    until: float


@dataclass(frozen=True)
class Ended:
    """How a program ended. code: its exit code, minus the signal that ended it, None if its time was over."""

    code: int | None
    complaint: str


def run_program(
    command: Sequence[str],
    *,
    cwd: Path,
    env: Mapping[str, str],
    owner: tuple[int, int],
    bounds: Bounds,
    checkpoint: Callable[[], None],
    take: Callable[[bytes], None],
) -> Ended:
    """Runs a program to its end, and ends all that it started.

    env: the whole of it; owner: uid and gid it runs as where this process is root; checkpoint: called several times a
    second; take: gets what the program writes to its output. What these two raise ends the program and is let through.
    """
    process = subprocess.Popen(
        [*_confinement(owner, bounds), *command],
        cwd=cwd, env=dict(env), umask=0o022, start_new_session=True,
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        # Python ignores SIGXFSZ. Left so, a file past its limit is an error that the program tells; else it dies mute.
        restore_signals=False,
    )  # fmt: skip
    try:
        complaint, in_time = _listen(process, bounds.until, checkpoint, take)
    finally:
        # The process is not waited for before, so that its group's number cannot have become another's.
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        for stream in (process.stdout, process.stderr):
            if stream is not None:
                stream.close()
    return Ended(process.returncode if in_time else None, complaint)


def _confinement(owner: tuple[int, int], bounds: Bounds) -> list[str]:
    """What is put before the command. setpriv gives the identity up before it asks to die with its parent: the kernel
    forgets that wish when the identity changes.
    """
    uid, gid = owner
    identity = [f"--reuid={uid}", f"--regid={gid}", "--clear-groups"] if os.geteuid() == 0 else []
    return [
        "setpriv", *identity, "--no-new-privs", "--pdeathsig=KILL", "--",
        "prlimit", f"--data={bounds.memory_mib * MIB}", f"--fsize={bounds.file_mib * MIB}", "--core=0", "--",
    ]  # fmt: skip


def _listen(
    process: subprocess.Popen[bytes], until: float, checkpoint: Callable[[], None], take: Callable[[bytes], None]
) -> tuple[str, bool]:
    """Reads what the program says until it has ended; the end of its complaints, and whether it ended in time."""
    complaint = b""
    with selectors.DefaultSelector() as selector:
        for stream in (process.stdout, process.stderr):
            selector.register(_open(stream), selectors.EVENT_READ)
        while True:
            checkpoint()
            if time.monotonic() > until:
                return _text(complaint), False
            # A program that is dead may have left its output to a child.
            ended = _has_ended(process)
            ready = selector.select(0 if ended else POLL_SECONDS) if selector.get_map() else []
            for key, _ in ready:
                data = os.read(key.fd, READ_BYTES)
                if not data:
                    selector.unregister(key.fileobj)
                elif key.fileobj is process.stdout:
                    take(data)
                else:
                    complaint = (complaint + data)[-COMPLAINT_BYTES:]
            if ended and not ready:
                return _text(complaint), True
            if not selector.get_map() and not ended:
                time.sleep(POLL_SECONDS / 10)


def _open(stream: IO[bytes] | None) -> IO[bytes]:
    assert stream is not None  # noqa: S101  asked for as a pipe
    return stream


def _has_ended(process: subprocess.Popen[bytes]) -> bool:
    """Without waiting for it, after which its number could be another's."""
    return os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None


def _text(complaint: bytes) -> str:
    return complaint.decode(errors="replace")
