"""How the commands on jobs are told which jobs."""

from __future__ import annotations

from typing import Annotated

import typer

from aitrain.cli import suggestions
from aitrain.client import Client
from aitrain.domain.errors import JobNotFound

HELP = "Its id, an unambiguous beginning of it, or its name."
JobRef = Annotated[str, typer.Argument(metavar="JOB", help=HELP, autocompletion=suggestions.jobs)]
JobRefs = Annotated[list[str], typer.Argument(metavar="JOB...", help=HELP, autocompletion=suggestions.jobs)]


def found(client: Client, refs: list[str]) -> list[str]:
    """The ids of jobs, each once. Nothing is ordered of any if one is not known: raises JobNotFound, AmbiguousJob."""
    return list(dict.fromkeys(client.find(ref) for ref in refs))


def found_or_same(client: Client, ref: str) -> str:
    """The id of a job, or of one that is there no longer what was given. Raises AmbiguousJob."""
    try:
        return client.find(ref)
    except JobNotFound:
        return ref
