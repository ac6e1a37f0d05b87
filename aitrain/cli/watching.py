"""The command that waits for jobs."""

from __future__ import annotations

from typing import Annotated

import typer

from aitrain.cli.following import follow_all
from aitrain.cli.refs import JobRefs, found
from aitrain.client import Client


def wait(
    jobs: JobRefs, quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print nothing meanwhile.")] = False
) -> None:
    """Wait until jobs have ended: their states, and of a single one its copies and log.

    Exit status: the job's own exit code, 125 if it has none; of several jobs the first that is not 0; 130 after Ctrl-C.
    """
    with Client() as client:
        raise typer.Exit(follow_all(client, found(client, jobs), quiet=quiet))
