"""Values as people type them."""

from __future__ import annotations

import re
from typing import Annotated

import typer

UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}
DURATION = re.compile(r"(?:\d+[smhdw])+")


def seconds(text: str) -> int:
    """Seconds from "90", "30s", "2h", "7d" or "1d12h". Raises typer.BadParameter."""
    if text.isascii() and text.isdigit():
        return int(text)
    if not DURATION.fullmatch(text):
        raise typer.BadParameter(f"{text!r} is no duration: write 30s, 20m, 2h, 7d, 1d12h, or a number of seconds")
    return sum(int(number) * UNITS[unit] for number, unit in re.findall(r"(\d+)([smhdw])", text))


Seconds = Annotated[int | None, typer.Option(parser=seconds, metavar="DURATION")]
