"""Ctrl-C while a job is watched: the job goes on. A second one offers to stop it."""

from __future__ import annotations

import os
import select
import sys
from collections.abc import Callable

import typer

# As a shell has it for a command that Ctrl-C ended.
DETACHED = 130
# So long a second Ctrl-C is waited for: time to read one line.
SECOND_SECONDS = 3.0


def detach(job_ids: list[str], stop: Callable[[str], None]) -> int:
    """Says how to come back and, on a terminal, calls `stop` for each job if that is asked for; the exit status."""
    ids = " ".join(job_ids)
    goes_on = "the job goes on" if len(job_ids) == 1 else f"{len(job_ids)} jobs go on"
    typer.echo(f"\ndetached; {goes_on}. Come back with: aitrain job wait {ids}", err=True)
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        return DETACHED
    try:
        typer.echo(f"Ctrl-C within {SECOND_SECONDS:g} s to stop instead", err=True)
        readable, _, _ = select.select([sys.stdin], [], [], SECOND_SECONDS)
        if readable:  # whoever types has seen it, and wants the shell
            os.read(sys.stdin.fileno(), 1024)
    except KeyboardInterrupt:
        _offer(job_ids, stop)
    return DETACHED


def _offer(job_ids: list[str], stop: Callable[[str], None]) -> None:
    what = "the job" if len(job_ids) == 1 else f"{len(job_ids)} jobs"
    try:
        if not typer.confirm(f"\nStop {what}?", default=False, err=True):
            return
    except (KeyboardInterrupt, typer.Abort):
        return
    for job_id in job_ids:
        stop(job_id)
