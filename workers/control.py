"""What aitrain and a running job tell each other, as files: it works from any language, and needs no network.

In the job, AITRAIN_CONTROL names a directory (/run/aitrain):
    timeout.json      how things stand: {"timeout_seconds": 3600, "deadline": "2026-11-22T14:00:00Z", "asked": "..."}
    timeout_warning   is there from a while before the timeout on; holds the deadline
    ask/timeout       the job writes here how many seconds of running it wants in all
The first two are read-only in the job. What a job asks is never trusted: no link is followed, no more than a few bytes
are read.
"""

from __future__ import annotations

import json
import os
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from aitrain.domain.spec import MAX_TIMEOUT_S

ASK = "ask"
# More digits than any number of seconds that means something.
MOST_BYTES = 32


@dataclass(frozen=True)
class Clock:
    """How a job's timeout stands. timeout_s: seconds in all, 0 for none; deadline: None without; asked: the answer."""

    timeout_s: int
    deadline: datetime | None
    asked: str = ""


class Control:
    """The control directory of one attempt."""

    def __init__(self, attempt: Path) -> None:
        """attempt: the attempt's place on the host."""
        self._warned = attempt / "warned"
        self.told = attempt / "control"
        self.asked = self.told / ASK

    def make(self, owner: tuple[int, int]) -> None:
        """Makes it. owner: uid and gid of the job, which may write what it asks."""
        self.asked.mkdir(parents=True, exist_ok=True)
        for directory in (self.told, self.asked):
            directory.chmod(0o755)
        if os.geteuid() == 0:
            os.chown(self.asked, *owner)

    def tell(self, clock: Clock) -> None:
        """Says how things stand, if that is news."""
        text = json.dumps({"timeout_seconds": clock.timeout_s, "deadline": _text(clock.deadline), "asked": clock.asked})
        self._write("timeout.json", text + "\n")

    @property
    def warned(self) -> bool:
        """Whether the job has had its warning, signal and all."""
        return self._warned.exists()

    def warn(self, deadline: datetime) -> None:
        """Puts the warning there. Followed by the signal, if the job wants one, and by `warning_given`."""
        self._write("timeout_warning", _text(deadline) + "\n")

    def warning_given(self) -> None:
        """Records that nothing of the warning is left to do."""
        self._warned.touch()

    def take_warning_back(self) -> None:
        """The deadline moved away."""
        (self.told / "timeout_warning").unlink(missing_ok=True)
        self._warned.unlink(missing_ok=True)

    def wanted_timeout_s(self) -> int | None:
        """Seconds of running in all that the job asks for; None if it asks for nothing that is a number."""
        with suppress(OSError):
            directory = os.open(self.asked, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
            try:
                # Without O_NONBLOCK a FIFO that the job put there would block the agent for ever.
                file = os.open("timeout", os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=directory)
                try:
                    text = os.read(file, MOST_BYTES)
                finally:
                    os.close(file)
            finally:
                os.close(directory)
            with suppress(ValueError):
                wanted = int(text.decode("ascii", "replace").strip())
                return wanted if 0 < wanted <= MAX_TIMEOUT_S else None
        return None

    def _write(self, name: str, text: str) -> None:
        """Whole or not at all, and only if it says something new. The job cannot write beside it."""
        path = self.told / name
        with suppress(OSError):
            if path.read_text() == text:
                return
        part = self.told / f".{name}"
        part.write_text(text)
        part.chmod(0o644)
        part.rename(path)


def _text(deadline: datetime | None) -> str:
    return "" if deadline is None else deadline.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
