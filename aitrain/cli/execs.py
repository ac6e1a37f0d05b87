"""Commands that speak with running jobs."""

from __future__ import annotations

import os
import signal
import sys
import termios
import threading
import time
import tty
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import IO, Annotated

import typer
from rich.console import Group
from rich.table import Table
from rich.text import Text

from aitrain.cli.columns import job_id, number, whole
from aitrain.cli.output import Format, Output, err, printable, show
from aitrain.cli.refs import JobRef, JobRefs, found
from aitrain.client import Client
from aitrain.domain.errors import AitrainError, InvalidInput
from aitrain.domain.usage import GpuUse, JobStats
from aitrain.sessions import Session

# As docker's: the command did not run, or nobody knows how it ended.
NOT_RUN = 125
WATCH_SECONDS = 2.0
MIB = 1024**2
UNKNOWN = "-"


def exec_(
    job: JobRef,
    command: Annotated[list[str] | None, typer.Argument(help="The command and its arguments; sh if not given.")] = None,
    interactive: Annotated[bool, typer.Option("--interactive", "-i", help="Give it this command's input.")] = False,
    terminal: Annotated[bool, typer.Option("--tty", "-t", help="Run it on a terminal.")] = False,
) -> None:
    """Run a command in a running job: aitrain job exec -it JOB -- COMMAND... Exit status: the command's own, or 125."""
    if terminal and interactive and not sys.stdin.isatty():
        raise InvalidInput.of("--tty", "", "needs a terminal as its input", "leave -t out when input is piped")
    try:
        with Client() as client, raw_terminal(terminal and interactive):
            code = client.exec(
                client.find(job), command or ["sh"], tty=terminal, stdin=_input() if interactive else None,
                on_stdout=lambda data: _write(1, data), on_stderr=lambda data: _write(2, data),
                on_open=_follow_size if terminal else None,
            )  # fmt: skip
    except InvalidInput:
        raise
    except AitrainError as error:
        err.print(Text.assemble(("error: ", "red"), str(error)), soft_wrap=True)
        code = NOT_RUN
    sys.stdout.flush()
    # Its input may still be waited for in a thread, which would hold up an orderly exit.
    os._exit(code)


def _input() -> IO[bytes]:
    return os.fdopen(os.dup(0), "rb", buffering=0)


def _write(where: int, data: bytes) -> None:
    while data:
        data = data[os.write(where, data) :]


def _size() -> tuple[int, int]:
    """Rows and columns. The terminal is asked: LINES and COLUMNS stay what they were when it is resized."""
    for where in (1, 0, 2):
        with suppress(OSError):
            size = os.get_terminal_size(where)
            return size.lines, size.columns
    return 24, 80


def _follow_size(session: Session) -> None:
    one_at_a_time = threading.Lock()

    def tell() -> None:
        with one_at_a_time:  # so that the last size is told last
            session.resize(*_size())

    # Not in the handler: a command that is held up by its output would hold up whoever is to read that.
    signal.signal(signal.SIGWINCH, lambda *_: threading.Thread(target=tell, daemon=True).start())
    tell()


@contextmanager
def raw_terminal(wanted: bool) -> Iterator[None]:
    """Every key goes to the job meanwhile. The terminal is as before afterwards, whatever happens."""
    if not wanted:
        yield
        return
    before = termios.tcgetattr(0)

    def end(number: int, _: object) -> None:
        raise SystemExit(128 + number)

    for one in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(one, end)
    try:
        tty.setraw(0)
        yield
    finally:
        termios.tcsetattr(0, termios.TCSADRAIN, before)


def stats(
    jobs: JobRefs,
    watch: Annotated[bool, typer.Option(help="Again and again, until interrupted.")] = False,
    output: Output = Format.TABLE,
) -> None:
    """Show what running jobs use."""
    with Client() as client:
        job_ids = found(client, jobs)
        while True:
            used = {one: client.stats(one) for one in job_ids}
            rows = [{"job": job, **one.model_dump(mode="json")} for job, one in used.items()]
            show(rows, output, lambda used=used: _tables(used))  # type: ignore[misc]
            if not watch:
                return
            time.sleep(WATCH_SECONDS)


def _tables(used: dict[str, JobStats]) -> Group:
    gpus = [(job, gpu) for job, one in used.items() for gpu in one.gpus]
    return Group(_table(used), *([_gpus(gpus)] if gpus else []))


def _gpus(gpus: list[tuple[str, GpuUse]]) -> Table:
    table = Table(whole("job"), "gpu", number("busy"), number("memory MiB"), "trouble")
    for whole_id, gpu in gpus:
        busy = UNKNOWN if gpu.busy_percent is None else f"{gpu.busy_percent} %"
        memory = UNKNOWN
        if gpu.memory_bytes is not None and gpu.memory_total_bytes is not None:
            memory = f"{gpu.memory_bytes / MIB:.0f} / {gpu.memory_total_bytes / MIB:.0f}"
        table.add_row(job_id(whole_id), gpu.unit, busy, memory, Text(printable(gpu.trouble)))
    return table


def _table(used: dict[str, JobStats]) -> Table:
    heads = ("cpu", "memory MiB", "received/sent", "read/written", "processes")
    table = Table(whole("job"), *map(number, heads), caption="received, sent, read and written: MiB")
    for whole_id, one in used.items():
        table.add_row(
            job_id(whole_id), f"{one.cpu_percent:.1f} %",
            f"{one.memory_bytes / MIB:.1f} / {one.memory_limit_bytes / MIB:.0f}",
            f"{one.received_bytes / MIB:.1f} / {one.sent_bytes / MIB:.1f}",
            f"{one.read_bytes / MIB:.1f} / {one.written_bytes / MIB:.1f}", str(one.processes),
        )  # fmt: skip
    return table
