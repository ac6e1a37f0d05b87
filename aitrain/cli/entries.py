"""What the commands on a project's data stores and on its registries have in common."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import typer

from aitrain.cli.exits import FAILED
from aitrain.cli.output import out
from aitrain.domain.datastore import DataStoreEntry
from aitrain.domain.job import moment
from aitrain.domain.registry import RegistryEntry


class Removal(Protocol):
    """The answer to a removal. done False: these jobs are in its way."""

    @property
    def done(self) -> bool: ...
    @property
    def jobs(self) -> Sequence[str]: ...


def tell_removal(name: str, answer: Removal) -> None:
    """Says that it is removed, or which jobs need it. Raises typer.Exit if they do."""
    if answer.done:
        out.print(f"{name} removed", markup=False)
        return
    out.print(f"{name} is needed by jobs that have not ended; stop them first, or use --force:", markup=False)
    for job_id in answer.jobs:
        out.print(job_id)
    raise typer.Exit(FAILED)


def shown(entry: DataStoreEntry | RegistryEntry) -> dict[str, Any]:
    """An entry for JSON and YAML."""
    return entry.model_dump(mode="json", exclude={"added_ms"}) | {"added": added(entry)}


def added(entry: DataStoreEntry | RegistryEntry) -> str:
    """When it was added, UTC."""
    return f"{moment(entry.added_ms):%Y-%m-%d %H:%M:%S}"
