"""Columns of tables, by what they hold."""

from __future__ import annotations

from rich.table import Column

from aitrain.cli.output import out

SHORT_ID = 8
# A whole id and the rest of a line fit from here on.
WIDE = 120


def whole(header: str) -> Column:
    """Of what people copy into the next command: on a narrow terminal it goes over lines and is not cut."""
    return Column(header, overflow="fold")


def number(header: str) -> Column:
    """Of numbers: its digits stand below each other, and are never cut or folded, for what folds is not read."""
    return Column(header, justify="right", no_wrap=True)


def job_id(whole_id: str) -> str:
    """A job's id: on a narrow terminal its beginning, which commands take, too."""
    return whole_id[:SHORT_ID] if out.is_terminal and out.width < WIDE else whole_id
