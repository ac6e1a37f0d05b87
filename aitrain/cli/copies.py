"""Commands on the data of jobs: pushing results again, and copying while a job runs."""

from __future__ import annotations

from typing import Annotated

import typer

from aitrain.cli.bars import Bars
from aitrain.cli.exits import FAILED
from aitrain.cli.following import follow, tell_answer, user
from aitrain.cli.output import out
from aitrain.cli.refs import JobRef
from aitrain.client import Client
from aitrain.domain.copying import CopyState
from aitrain.store import Ordered

Mount = Annotated[str | None, typer.Argument(help="Mount path of one volume; every one that fits if left out.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Only show what would be copied.")]
Wait = Annotated[bool, typer.Option("--wait/--no-wait", help="Wait until it is copied.")]


def retry_push(job: JobRef, watch: Annotated[bool, typer.Option(help="Follow it to its end.")] = False) -> None:
    """Push the results of a job again that ended with JOB_SYNC_FAILED. Nothing is billed, and it does not run again."""
    with Client() as client:
        job_id = client.find(job)
        answer = client.retry_push(job_id, by=user())
        tell_answer(job_id, answer, alive="it has not ended; what it wrote is pushed when it does")
        if not answer.done:
            raise typer.Exit(FAILED)
        if watch:
            raise typer.Exit(follow(client, job_id))


def push_data(job: JobRef, mount_path: Mount = None, dry_run: DryRun = False, wait: Wait = True) -> None:
    """Push what a running job has written so far. Nothing is deleted in the data store."""
    with Client() as client, Bars(out) as bars:
        job_id = client.find(job)
        answer = client.push_data(
            job_id, mount_path, dry_run=dry_run, wait=None if wait else 0, by=user(), on_progress=bars.show
        )
    raise typer.Exit(_told(job_id, answer))


def pull_data(job: JobRef, mount_path: Mount = None, dry_run: DryRun = False, wait: Wait = True) -> None:
    """Pull what is new in the data store into a running job. What the job itself changed is kept."""
    with Client() as client, Bars(out) as bars:
        job_id = client.find(job)
        answer = client.pull_data(
            job_id, mount_path, dry_run=dry_run, wait=None if wait else 0, by=user(), on_progress=bars.show
        )
    raise typer.Exit(_told(job_id, answer))


def _told(job_id: str, answer: Ordered) -> int:
    copy = answer.copy
    if not answer.done or copy is None:
        tell_answer(job_id, answer)
        return FAILED
    word = f"would {copy.direction}" if copy.dry_run else copy.direction
    out.print(f"{job_id} {word} {copy.state}: {copy.error or copy.summary}".rstrip(": "), markup=False, soft_wrap=True)
    for line in copy.lines:
        out.print(line, markup=False, soft_wrap=True)
    return FAILED if copy.state is CopyState.FAILED else 0
