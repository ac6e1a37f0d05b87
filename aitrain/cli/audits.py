"""`aitrain bill audit`: the ledger against the jobs' histories."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import typer

from aitrain.cli.exits import FAILED
from aitrain.cli.output import Format, Output, out, show
from aitrain.client import Client
from aitrain.domain.audit import Difference


def audit(
    project: Annotated[str | None, typer.Option(help="Only of this project.")] = None,
    month: Annotated[str | None, typer.Option(help="Only of this month, as 2026-11.")] = None,
    output: Output = Format.TABLE,
) -> None:
    """Recompute what every job owes and compare it with the ledger. Exit status 1 if there is a difference."""
    with Client() as client:
        found: list[Difference] = []
        done = client.audit(project=project, month=month, tell=_tell if output is Format.TABLE else found.append)

    def tell_sums() -> None:
        out.print(
            f"{done.differences} differences; {done.jobs} jobs, {done.lines} lines of the ledger with {done.minutes} "
            f"minutes, {done.without_history} of the lines of deleted jobs, with no history left"
            + (f"; of {done.pruned} pruned months only the sums" if done.pruned else ""),
            soft_wrap=True,
        )

    show(asdict(done) | {"found": [str(one) for one in found]}, output, tell_sums)
    if done.differences:
        raise typer.Exit(FAILED)


def _tell(one: Difference) -> None:
    out.print(str(one), markup=False, soft_wrap=True)
