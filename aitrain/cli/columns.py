"""Columns of tables, by what they hold."""

from __future__ import annotations

from rich.table import Column


def whole(header: str) -> Column:
    """Of what people copy into the next command: on a narrow terminal it goes over lines and is not cut."""
    return Column(header, overflow="fold")


def number(header: str) -> Column:
    """Of numbers: its digits stand below each other, and are never cut or folded, for what folds is not read."""
    return Column(header, justify="right", no_wrap=True)
