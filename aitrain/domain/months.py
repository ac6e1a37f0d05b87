"""Months as bills know them: of UTC, written "2026-11"."""

from __future__ import annotations

import re
from datetime import UTC, datetime

from aitrain.domain.errors import InvalidInput

MONTH = re.compile(r"[1-9]\d{3}-(0[1-9]|1[0-2])")


def day_of(ms: int) -> str:
    """The day (UTC) in which a moment (Unix time, ms) lies, as "2026-11-30"."""
    return datetime.fromtimestamp(ms / 1000, UTC).strftime("%Y-%m-%d")


def checked_month(month: str) -> str:
    """The month as it is. Raises InvalidInput if it is none."""
    if not MONTH.fullmatch(month):
        raise InvalidInput.of("month", month, "is not a month", "write year and month, as 2026-11")
    return month


def end_ms(month: str) -> int:
    """When the next month begins, Unix time, ms."""
    year, number = (int(part) for part in checked_month(month).split("-"))
    year, number = (year + 1, 1) if number == 12 else (year, number + 1)
    return int(datetime(year, number, 1, tzinfo=UTC).timestamp()) * 1000
