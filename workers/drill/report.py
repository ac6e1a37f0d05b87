"""What a drill prints: its events as they happen, how far it is, and the table."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Self

from rich.table import Table
from rich.text import Text

from aitrain.output import out
from workers.drill.checks import Column, Violation

# Details of one column that are printed; the rest is counted.
MOST_DETAILS = 12


class Report:
    """Prints to a terminal, or plain lines to a file."""

    def __init__(self) -> None:
        self._status = out.status("")
        self._began = time.monotonic()

    def begin(self) -> None:
        """From here on the times of events are counted."""
        self._began = time.monotonic()

    def tell(self, text: str) -> None:
        """One event."""
        out.print(Text(f"{time.monotonic() - self._began:7.1f} {text}"), soft_wrap=True)

    def progress(self, text: str) -> None:
        """How far it is; seen on a terminal only."""
        self._status.update(Text(f"{time.monotonic() - self._began:6.0f} s  {text}"))

    def result(self, violations: Sequence[Violation], looked_at: Mapping[Column, str]) -> None:
        """The table, and what is behind each number that is not zero."""
        table = Table("", "count", "looked at")
        table.columns[1].justify = "right"
        for column in Column:
            count = sum(1 for violation in violations if violation.column is column)
            table.add_row(column.value, Text(str(count), "bold red" if count else "green"), looked_at[column])
        out.print(table)
        for column in Column:
            found = [violation for violation in violations if violation.column is column]
            for violation in found[:MOST_DETAILS]:
                told = f"{column.value}: {violation.subject}: expected {violation.expected}; seen: {violation.seen}"
                out.print(Text(told), soft_wrap=True)
            if len(found) > MOST_DETAILS:
                out.print(Text(f"{column.value}: and {len(found) - MOST_DETAILS} more"))

    def say(self, text: str) -> None:
        """A line that is no event."""
        out.print(Text(text), soft_wrap=True)

    def __enter__(self) -> Self:
        self._status.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self._status.stop()
