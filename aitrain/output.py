"""How commands print what they show: as a table for people, as JSON or YAML for programs.

Below the command line, because commands that run as a process of `workers` print, too. Needs the extra `cli`.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterable, Iterator
from enum import StrEnum
from typing import Any

from rich.console import Console, RenderableType
from rich.text import Text

# No terminal: what is cut or folded would be lost to the program that reads it. rich knows no "unlimited".
UNLIMITED_COLUMNS = 100_000


class Format(StrEnum):
    """How something is printed."""

    TABLE = "table"
    JSON = "json"
    YAML = "yaml"


def printable(text: str) -> str:
    """A user's text without what a terminal would obey."""
    return "".join(one if one.isprintable() or one == "\t" else "\ufffd" for one in text)


class _Console(Console):
    """Prints text, which others may have written, without what a terminal would obey."""

    def render_str(self, text: str, **options: Any) -> Text:
        """As rich does; lines stay lines."""
        return super().render_str("\n".join(map(printable, text.split("\n"))), **options)


def _console(*, stderr: bool) -> Console:
    """As wide as its terminal, or as COLUMNS says: `watch` sets it for commands that it runs without one."""
    terminal = (sys.stderr if stderr else sys.stdout).isatty()
    width = None if terminal or "COLUMNS" in os.environ else UNLIMITED_COLUMNS
    return _Console(stderr=stderr, highlight=False, width=width)


# What is asked for goes to the one, what is said beside it to the other. Nothing is printed but through these.
out, err = _console(stderr=False), _console(stderr=True)


def facts(pairs: Iterable[tuple[str, str]]) -> RenderableType:
    """A table of one thing: names, and what is so called. Nothing is cut off where the terminal is narrow."""
    from rich.table import Column, Table  # takes long to load; JSON does without

    table = Table(Column(no_wrap=True), Column(overflow="fold"), show_header=False)
    for name, value in pairs:
        table.add_row(Text(printable(name)), Text(printable(value)))
    return table


def flat(data: Any, name: str = "") -> Iterator[tuple[str, Any]]:
    """What lies in data of JSON's types, each with its name: "bill.lines.0.minutes". Empty lists and objects, too."""
    pairs = data.items() if isinstance(data, dict) else enumerate(data) if isinstance(data, list) else ()
    if not pairs or not data:
        yield name, data
        return
    for key, value in pairs:
        yield from flat(value, f"{name}.{key}" if name else str(key))


def show(data: Any, output: Format, table: Callable[[], RenderableType | None]) -> None:
    """Prints data as it is asked for.

    data: of JSON's types, the same for JSON and YAML; table: makes what people see; None: it printed that itself.
    """
    if output is Format.TABLE:
        drawn = table()
        # Beside what is asked for: a program that reads lines should find none.
        if getattr(drawn, "row_count", 1) == 0:
            err.print("there is nothing to show")
        elif drawn is not None:
            out.print(drawn)
    elif output is Format.JSON and sys.stdout.isatty():
        out.print_json(json.dumps(data))
    elif output is Format.JSON:
        sys.stdout.write(json.dumps(data, indent=2, ensure_ascii=False) + "\n")
    else:
        import yaml  # takes long to load, and few ask for it

        # What JSON says, and no more: it takes an enumeration's member for its text, of which YAML knows nothing.
        plain = json.loads(json.dumps(data))
        sys.stdout.write(yaml.safe_dump(plain, sort_keys=False, allow_unicode=True))
