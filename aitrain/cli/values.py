"""Values as people type them."""

from __future__ import annotations

import re
import time
from datetime import UTC, datetime
from typing import Annotated

import typer

from aitrain.domain.errors import InvalidInput

UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}
DURATION = re.compile(r"(?:\d+[smhdw])+")


def seconds(text: str) -> int:
    """Seconds from "90", "30s", "2h", "7d" or "1d12h". Raises typer.BadParameter."""
    if text.isascii() and text.isdigit():
        return int(text)
    if not DURATION.fullmatch(text):
        raise typer.BadParameter(f"{text!r} is no duration: write 30s, 20m, 2h, 7d, 1d12h, or a number of seconds")
    return sum(int(number) * UNITS[unit] for number, unit in re.findall(r"(\d+)([smhdw])", text))


def age(since_ms: int) -> str:
    """How long ago it was, in its largest unit: "5s", "3m", "4h", "2d". since_ms: Unix ms; what is to come is now."""
    ago = max(0, int(time.time() - since_ms / 1000))
    size, unit = next(((size, unit) for size, unit in ((86_400, "d"), (3600, "h"), (60, "m")) if ago >= size), (1, "s"))
    return f"{ago // size}{unit}"


def duration(number: int) -> str:
    """Seconds as `seconds` reads them, exactly: "7d", "1h30m"."""
    parts = []
    for unit, size in (("d", 86_400), ("h", 3600), ("m", 60), ("s", 1)):
        count, number = divmod(number, size)
        if count:
            parts.append(f"{count}{unit}")
    return "".join(parts) or "0s"


def past_ms(text: str) -> int:
    """Unix ms of "2h" (ago) or of an ISO date, of UTC if it names no zone. Raises typer.BadParameter."""
    if DURATION.fullmatch(text):
        return int(time.time() * 1000) - seconds(text) * 1000
    try:
        at = datetime.fromisoformat(text)
        return int((at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp() * 1000)
    except (ValueError, OverflowError):
        raise typer.BadParameter(f"{text!r} is no time: write 2h for two hours ago, or 2026-11-29T12:00") from None


def pairs(option: str, texts: list[str]) -> dict[str, str]:
    """Texts of the form KEY=VALUE. Raises InvalidInput."""
    for text in texts:
        if "=" not in text:
            raise InvalidInput.of(option, text, "is not NAME=VALUE", "write it as NAME=VALUE")
    return dict(text.split("=", 1) for text in texts)


Seconds = Annotated[
    int | None, typer.Option(parser=seconds, metavar="DURATION", help="Of running, as 12h; 0 for the site's default.")
]
