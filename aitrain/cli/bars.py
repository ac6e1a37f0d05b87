"""Bars of the copies of a job, one for each volume, on a terminal. Elsewhere nothing is drawn."""

from __future__ import annotations

from types import TracebackType
from typing import Self

from rich.console import Console
from rich.filesize import decimal
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TransferSpeedColumn

from aitrain.domain.job import Direction, Job, VolumeProgress
from aitrain.domain.states import State

# What a state copies; a RUNNING job says itself what an order has it copy.
COPIES = {State.INITIALIZING: Direction.PULL, State.FINALIZING: Direction.PUSH}


def copies(job: Job) -> dict[str, VolumeProgress]:
    """The copies that are under way, by mount path. Those of an earlier step are over."""
    direction = COPIES.get(job.state, job.copying)
    return {path: now for path, now in job.progress.items() if now.direction is direction}


class Bars:
    """Draws what it is shown, while it is a context."""

    def __init__(self, console: Console) -> None:
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            TextColumn("{task.fields[files]}"),
            TextColumn("{task.fields[size]}"),
            TransferSpeedColumn(),
            console=console,
            transient=True,
        )
        self._draws = console.is_terminal
        self._tasks: dict[str, TaskID] = {}
        # The copies of one state are not those of the next, though their volumes are.
        self._of: State | None = None

    def show(self, job: Job) -> None:
        """Draws how the copies of a job stand; nothing while there are none."""
        now = copies(job) if self._draws else {}
        if self._of is not job.state or not now:
            self._clear()
            self._of = job.state
        for path, one in now.items():
            # Where there are no bytes to copy, the files that were looked at are what moves.
            looked_at = one.processed + one.skipped
            total, done = (one.bytes_total, one.bytes) if one.bytes_total else (one.total, looked_at)
            files = f"{looked_at}/{one.total} files" + f", {one.failed} failed" * bool(one.failed)
            size = f"{decimal(one.bytes)} of {decimal(one.bytes_total)}"
            if path not in self._tasks:
                self._tasks[path] = self._progress.add_task(
                    f"{one.direction} {path}", total=None, files=files, size=size
                )
            self._progress.update(
                self._tasks[path], total=total or 1, completed=done if total else 1, files=files, size=size
            )
        if now:
            self._progress.start()

    def _clear(self) -> None:
        if not self._tasks:
            return
        for task in self._tasks.values():
            self._progress.remove_task(task)
        self._tasks.clear()
        self._progress.stop()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self._clear()
