"""Commands that change jobs."""

from __future__ import annotations

from typing import Annotated

import typer

from aitrain.cli.exits import FAILED
from aitrain.cli.following import follow_all, tell_answer, user
from aitrain.cli.refs import JobRef, JobRefs, found, found_or_same
from aitrain.cli.values import Seconds, pairs
from aitrain.client import Client
from aitrain.domain.orders import JobEdit


def stop(jobs: JobRefs) -> None:
    """Stop jobs. Their data is pushed back, and they do not run again by themselves."""
    with Client() as client:
        for job_id in found(client, jobs):
            tell_answer(job_id, client.stop(job_id, by=user()))


def start(jobs: JobRefs, watch: Annotated[bool, typer.Option(help="Follow them to their ends.")] = False) -> None:
    """Start ended jobs again: the same ids, their next attempts."""
    status = 0
    with Client() as client:
        started = []
        for job_id in found(client, jobs):
            answer = client.start(job_id, by=user())
            tell_answer(job_id, answer)
            if answer.done:
                started.append(job_id)
            else:
                status = FAILED
        if watch and started:
            status = follow_all(client, started) or status
    raise typer.Exit(status)


def delete(
    jobs: JobRefs,
    force: Annotated[bool, typer.Option("--force", "-f", help="Stop those first that have not ended.")] = False,
) -> None:
    """Delete ended jobs: their specs, histories and logs. What they were billed stays on the bill."""
    status = 0
    with Client() as client:
        # Deleting what is gone already is no error: an order may be given twice.
        for job_id in dict.fromkeys([found_or_same(client, ref) for ref in jobs]):
            answer = client.delete(job_id, force=force, by=user())
            tell_answer(job_id, answer, "deleted")
            if not answer.done and answer.why == "alive":
                status = FAILED
    raise typer.Exit(status)


def edit(
    job: JobRef,
    timeout: Seconds = None,
    auto_restart: Annotated[bool | None, typer.Option(help="Queue it again when it times out.")] = None,
    label: Annotated[list[str] | None, typer.Option("--label", "-l", help="KEY=VALUE to set, KEY- to remove.")] = None,
) -> None:
    """Change a job's timeout, auto-restart or labels. The deadline of a running job moves."""
    given = {"timeout": timeout, "auto_restart": auto_restart}
    _edit(job, label or [], **{name: value for name, value in given.items() if value is not None})


def label_job(
    job: JobRef, labels: Annotated[list[str], typer.Argument(help="KEY=VALUE to set, KEY- to remove.")]
) -> None:
    """Set and remove labels of a job: aitrain job label JOB team=vision draft-"""
    _edit(job, labels)


def _edit(ref: str, labels: list[str], **asked: int | bool) -> None:
    drop = tuple(text[:-1] for text in labels if text.endswith("-") and "=" not in text)
    put = pairs("label", [text for text in labels if "=" in text or not text.endswith("-")])
    changes = {"labels": put or None, "drop_labels": drop or None}
    edit = JobEdit.of(**asked, **{name: value for name, value in changes.items() if value is not None})
    with Client() as client:
        job_id = client.find(ref)
        answer = client.edit(job_id, edit)
        tell_answer(job_id, answer, "edited")
    if not answer.done:
        raise typer.Exit(FAILED)
