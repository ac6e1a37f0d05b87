"""How a transfer of objects is shown: a bar on a terminal while it goes on, and what came of it."""

from __future__ import annotations

from collections.abc import Sequence
from types import TracebackType
from typing import Self

import typer
from rich.filesize import decimal
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn

from aitrain.buckets import ObjectDone, Place, TransferWatch
from aitrain.cli.exits import FAILED
from aitrain.cli.output import err, out

DONE = {"upload": "uploaded", "download": "downloaded", "delete": "deleted", "copy": "copied"}


class TransferBar(TransferWatch):
    """Draws the bytes that are moved, and the objects that are over, while it is a context.

    verb: what is done to the objects, a key of DONE; dry_run: it is only looked at; asks: what is under this place is
    touched only if somebody says yes, unless it is an object of that very key; None: nobody is asked.
    """

    def __init__(self, verb: str, dry_run: bool, asks: Place | None = None) -> None:
        self._verb, self._dry_run, self._asks = verb, dry_run, asks
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            TextColumn("{task.fields[over]}/{task.fields[objects]} objects"),
            *([] if verb == "delete" else [DownloadColumn(), TransferSpeedColumn()]),
            TimeRemainingColumn(),
            console=err,
            transient=True,
            disable=dry_run or not err.is_terminal,
        )
        self._task = self._progress.add_task(verb, total=None, over=0, objects=0)
        self._over, self._by_objects = 0, False

    def begins(self, planned: Sequence[ObjectDone]) -> None:
        """Asks, if it is to. Raises Abort if the answer is no."""
        size = sum(one.size for one in planned)
        if self._asks is not None and [one.name for one in planned] != [self._asks.key]:
            question = f"Delete {len(planned)} objects ({decimal(size)}) under {self._asks}?"
            typer.confirm(question, abort=True, err=True)
        # Where there are no bytes to copy, the objects are what moves.
        self._by_objects = self._verb == "delete" or not size
        self._progress.update(self._task, total=len(planned) if self._by_objects else size, objects=len(planned))
        self._progress.start()

    def moves(self, size: int) -> None:
        """Draws it."""
        self._progress.advance(self._task, size)

    def ends(self, done: ObjectDone) -> None:
        """Draws it."""
        self._over += 1  # from several threads: at worst it is one behind until the next
        self._progress.update(self._task, advance=int(self._by_objects), over=self._over)

    def tell(self, done: Sequence[ObjectDone]) -> None:
        """Names what failed, and counts. Raises Exit with status 1 if anything has."""
        self._progress.stop()
        failed = [one for one in done if one.error]
        for one in failed:
            err.print(f"{one.name!r}: {one.error}", markup=False, soft_wrap=True)
        if self._dry_run:
            for one in done:
                if not one.error:
                    out.print(f"would {self._verb} {one.name!r} ({decimal(one.size)})", markup=False, soft_wrap=True)
        word = f"would be {DONE[self._verb]}" if self._dry_run else DONE[self._verb]
        out.print(
            f"{word}: {len(done) - len(failed)} ({decimal(sum(one.size for one in done))}), failed: {len(failed)}"
        )
        if failed:
            raise typer.Exit(FAILED)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self._progress.stop()
