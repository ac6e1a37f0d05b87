"""The log of a job that is being watched, printed as it comes while its states are told."""

from __future__ import annotations

import threading

from rich.text import Text

from aitrain.cli.output import err, out
from aitrain.client import Client
from aitrain.domain.errors import AitrainError
from aitrain.domain.logs import STDOUT, LogLine

# The end of a log comes within a second; one that does not come must not keep the job's end from being told.
END_SECONDS = 20.0


class LiveLog:
    """Follows the newest attempt that began, in a thread of its own."""

    def __init__(self, client: Client, job_id: str, shown: int | None) -> None:
        """shown: of an attempt that ran before it was watched, the last so many lines; None: all."""
        self._client, self._job_id, self._shown = client, job_id, shown
        self._left = threading.Event()
        self._thread: threading.Thread | None = None

    def begin(self, attempt: int, *, live: bool) -> None:
        """Follows an attempt. live: it began while it was watched, so all its lines are new."""
        self.end()
        tail = None if live else self._shown
        self._thread = threading.Thread(target=self._follow, args=(attempt, tail), daemon=True)
        self._thread.start()

    def end(self) -> None:
        """Waits until the attempt's lines are told, as long as that takes while they come, but not for ever."""
        thread, self._thread = self._thread, None
        if thread is not None:
            thread.join(END_SECONDS)

    def leave(self) -> None:
        """Tells no more lines."""
        self._left.set()

    def _follow(self, attempt: int, tail: int | None) -> None:
        try:
            for line in self._client.logs(self._job_id, follow=True, attempt=attempt, tail=tail):
                if self._left.is_set():
                    return
                _tell(line)
        except AitrainError as error:
            if not self._left.is_set():
                err.print(f"its log cannot be followed: {error}", markup=False, soft_wrap=True)


def _tell(line: LogLine) -> None:
    """On a terminal, a line of stderr is red; elsewhere it goes to stderr. Both are indented by a bar, so that no line
    of a job looks like one of ours.
    """
    if line.stream == STDOUT:
        out.print(Text.assemble(("|", "dim"), f" {line.text}"), soft_wrap=True)
    elif out.is_terminal:
        out.print(Text(f"! {line.text}", style="red"), soft_wrap=True)
    else:
        err.print(Text(f"! {line.text}"), soft_wrap=True)
