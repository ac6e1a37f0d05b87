"""`aitrain data kept`: what lies on this host because it could not be pushed."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from aitrain.domain.job import moment
from aitrain.settings import Settings
from workers.machine import Machine
from workers.retention import Retention
from workers.workspace import Workspace, unsettled_attempts

if TYPE_CHECKING:
    from rich.table import Table


@dataclass(frozen=True)
class Left:
    """What one attempt left. size: bytes on the disk; known: the store knows the job; until_ms: Unix time at which it
    is removed, 0 for never.
    """

    job: str
    attempt: int
    size: int
    known: bool
    until_ms: int


def left(machine: Machine) -> list[Left]:
    """What attempts left that are over, the one to be removed soonest first. Raises StoreUnavailable."""
    keep_s = machine.settings.limits.results_retention_seconds
    retention = Retention(machine.store, keep_s)
    found = []
    for workspace in unsettled_attempts(machine.settings.host.data_dir):
        kept = retention.ask(workspace)
        if kept.known and kept.until_ms is None:
            continue  # its job has not ended
        until_ms = kept.until_ms if kept.until_ms is not None else _unclaimed_until_ms(workspace, keep_s)
        attempt = int(workspace.fence.partition(".")[0])
        found.append(Left(workspace.job_id, attempt, workspace.size, kept.known, until_ms))
    return sorted(found, key=lambda one: (one.until_ms or float("inf"), one.job))


def _unclaimed_until_ms(workspace: Workspace, keep_s: int) -> int:
    return round(1000 * (time.time() + keep_s - workspace.unclaimed_s)) if keep_s else 0


def run(settings: Settings, arguments: Sequence[str]) -> int:
    """Prints what is kept. arguments: as what, a Format. Raises StoreUnavailable."""
    found = left(Machine(settings))
    from aitrain.output import Format, show

    show([asdict(one) for one in found], Format(arguments[0]), lambda: _table(found))
    return 0


def _table(found: Sequence[Left]) -> Table:
    from rich.table import Table

    table = Table("job", "attempt", "size", "kept until", "")
    for one in found:
        until = f"{moment(one.until_ms):%Y-%m-%d %H:%M} UTC" if one.until_ms else "for ever"
        table.add_row(one.job, str(one.attempt), f"{one.size:,} B", until, "" if one.known else "job is unknown")
    return table
