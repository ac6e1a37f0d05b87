"""The log of a job that is being watched, printed as it comes while its states are told."""

from __future__ import annotations

import threading

from rich.console import Console
from rich.control import strip_control_codes
from rich.text import Text

from aitrain.cli.output import err, out
from aitrain.client import Client
from aitrain.domain.errors import AitrainError
from aitrain.domain.logs import STDOUT, LogLine

# The end of a log comes within a second; one that does not come must not keep the job's end from being told.
SILENT_SECONDS = 20.0


class LiveLog:
    """Follows the newest attempt that began, in a thread of its own."""

    def __init__(self, client: Client, job_id: str, shown: int | None) -> None:
        """shown: of an attempt that ran before it was watched, the last so many lines; None: all."""
        self._client, self._job_id, self._shown = client, job_id, shown
        self._one: _Followed | None = None

    def begin(self, attempt: int, *, live: bool) -> None:
        """Follows an attempt. live: it began while it was watched, so all its lines are new."""
        self.end()
        self._one = _Followed(self._client, self._job_id, attempt, None if live else self._shown)
        self._one.start()

    def wait(self) -> None:
        """Waits until the attempt's lines are told, for as long as they come."""
        if self._one is not None:
            self._one.wait()

    def end(self) -> None:
        """As wait, and then tells no more of it: says so, and how to see what is left, if that is not all."""
        if self._one is None:
            return
        if not self._one.wait():
            self._one.leave()
            err.print(
                f"nothing of its log has come for {SILENT_SECONDS:g} s, and it is not at its end: {self._one.hint}",
                markup=False, soft_wrap=True,
            )  # fmt: skip
        self._one = None

    def leave(self) -> None:
        """Tells no more lines."""
        if self._one is not None:
            self._one.leave()


class _Followed(threading.Thread):
    """One attempt's log, told as it comes."""

    def __init__(self, client: Client, job_id: str, attempt: int, tail: int | None) -> None:
        super().__init__(daemon=True)
        self._client, self._job_id, self._attempt, self._tail = client, job_id, attempt, tail
        self._left = threading.Event()
        self._told = 0

    @property
    def hint(self) -> str:
        """How its whole log is seen."""
        return f"aitrain job logs {self._job_id} --attempt {self._attempt} shows all of it"

    def run(self) -> None:
        """Tells its lines."""
        if self._tail is not None:
            err.print(f"from the last {self._tail} lines of its log on; {self.hint}", markup=False, soft_wrap=True)
        try:
            for line in self._client.logs(self._job_id, follow=True, attempt=self._attempt, tail=self._tail):
                if self._left.is_set():
                    return
                _tell(line)
                self._told += 1
        except AitrainError as error:
            if not self._left.is_set():
                err.print(f"its log cannot be followed: {error}; {self.hint}", markup=False, soft_wrap=True)

    def wait(self) -> bool:
        """Waits for its end as long as lines come; whether that has come."""
        told = -1
        while self.is_alive() and told < self._told:
            told = self._told
            self.join(SILENT_SECONDS)
        return not self.is_alive()

    def leave(self) -> None:
        """Tells no more lines."""
        self._left.set()


def _tell(line: LogLine) -> None:
    """On a terminal, a line of stderr is red; elsewhere it goes to stderr. Both are indented by a bar, so that no line
    of a job looks like one of ours. Of a line that was written over, as progress bars are, its last form is told.
    """
    text = line.text.rstrip("\r").rpartition("\r")[2]
    console, mark = (out, "|") if line.stream == STDOUT else (out if out.is_terminal else err, "!")
    if not console.is_terminal:
        _write(console, f"{mark} {strip_control_codes(text)}\n")
    elif line.stream == STDOUT:
        console.print(Text.assemble((mark, "dim"), f" {text}"), soft_wrap=True)
    else:
        console.print(Text(f"{mark} {text}", style="red" if console is out else ""), soft_wrap=True)


def _write(console: Console, text: str) -> None:
    """As the console would, which takes far longer: a job's million lines must not hold up the news of its end."""
    try:
        console.file.write(text)
        console.file.flush()
    except BrokenPipeError:
        console.on_broken_pipe()
