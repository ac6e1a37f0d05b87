"""The command line. Thin: every command is a call of the client, or a process of the fleet."""

from __future__ import annotations

import gc
import sys

from aitrain.cli.streams import prepare_streams

# Nearly everything that a start makes stays. Looking through it over and over takes a tenth of a short command's time.
OBJECTS_BETWEEN_LOOKS = 50_000


def main() -> None:
    """Runs `aitrain`. Errors of aitrain are told on stderr, with exit status 2 for wrong input and 1 otherwise."""
    gc.set_threshold(OBJECTS_BETWEEN_LOOKS)
    prepare_streams()
    try:
        from aitrain.cli.app import run
    except ModuleNotFoundError as error:
        sys.exit(f"aitrain: {error.name} is not installed; the command line needs: pip install 'aitrain[cli]'")
    sys.exit(run())
