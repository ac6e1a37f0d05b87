"""Commands on projects: quotas."""

from __future__ import annotations

from typing import Annotated

import typer

from aitrain.client import Client
from aitrain.domain.flavor import Kind

quota = typer.Typer(no_args_is_help=True, help="How many units a project may hold at once.")


@quota.command("set")
def quota_set(
    project: str,
    gpus: Annotated[int | None, typer.Option(min=0, help="GPUs; leave out to keep.")] = None,
    cpus: Annotated[int | None, typer.Option(min=0, help="CPUs; leave out to keep.")] = None,
    max_timeout: Annotated[
        int | None, typer.Option(min=0, help="Longest timeout of its jobs in seconds, 0 for none; leave out to keep.")
    ] = None,
    max_priority: Annotated[
        int | None, typer.Option(min=0, max=100, help="Highest priority of its jobs; leave out to keep.")
    ] = None,
    none: Annotated[bool, typer.Option("--none", help="Lift all limits of its own; the site's hold.")] = False,
) -> None:
    """Set a project's quota."""
    with Client() as client:
        for kind, limit in ((Kind.GPU, gpus), (Kind.CPU, cpus)):
            if none or limit is not None:
                client.set_quota(project, kind, limit)
        if none or max_timeout is not None:
            client.set_timeout_limit(project, max_timeout)
        if none or max_priority is not None:
            client.set_priority_limit(project, max_priority)
