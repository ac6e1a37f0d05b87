"""The three standard streams, whatever whoever starts a command has done to them."""

from __future__ import annotations

import os
import sys
from contextlib import suppress


def prepare_streams() -> None:
    """Makes them fit to be written to: closed ones lead nowhere, and what an encoding lacks is escaped."""
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        try:
            os.fstat(number)
        except OSError:
            # Else the first connection would get its number, and what is printed would be sent there.
            os.open(os.devnull, os.O_RDWR)  # the lowest that is free
        if getattr(sys, name) is None:
            setattr(sys, name, open(number, "w" if number else "r", closefd=False))  # noqa: SIM115
    for stream in (sys.stdout, sys.stderr):
        with suppress(AttributeError):  # one that was put in its place
            stream.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]
