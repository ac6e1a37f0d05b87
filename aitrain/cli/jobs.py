"""Commands on jobs."""

from __future__ import annotations

from typing import Annotated

import typer

from aitrain.cli.following import NOT_DONE, follow, tell_answer, user
from aitrain.cli.listing import list_jobs
from aitrain.cli.refs import JobRef, JobRefs, found
from aitrain.cli.showing import get
from aitrain.cli.submitting import run
from aitrain.cli.values import Seconds, pairs
from aitrain.client import Client
from aitrain.domain.errors import JobNotFound
from aitrain.domain.orders import JobEdit

app = typer.Typer(no_args_is_help=True, help="Submit, watch and stop jobs.")


app.command()(run)
app.command("list")(list_jobs)
app.command()(get)


@app.command()
def logs(
    job: JobRef,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on until the job ends.")] = False,
    timestamps: Annotated[bool, typer.Option("--timestamps", "-t", help="Put its time before each line.")] = False,
) -> None:
    """Show what a job wrote."""
    with Client() as client:
        for line in client.logs(client.find(job), follow=follow):
            typer.echo(f"{line.at} {line.text}" if timestamps else line.text)


@app.command()
def stop(jobs: JobRefs) -> None:
    """Stop jobs. Their data is pushed back, and they do not run again by themselves."""
    with Client() as client:
        for job_id in found(client, jobs):
            tell_answer(job_id, client.stop(job_id, by=user()))


@app.command()
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
                status = NOT_DONE
        for job_id in started if watch else ():
            status = follow(client, job_id) or status
    raise typer.Exit(status)


@app.command()
def delete(
    jobs: JobRefs,
    force: Annotated[bool, typer.Option("--force", "-f", help="Stop those first that have not ended.")] = False,
) -> None:
    """Delete ended jobs: their specs, histories and logs. What they were billed stays on the bill."""
    status = 0
    with Client() as client:
        for job_id in dict.fromkeys([_id_or_same(client, ref) for ref in jobs]):
            answer = client.delete(job_id, force=force, by=user())
            tell_answer(job_id, answer, "deleted")
            if not answer.done and answer.why == "alive":
                status = NOT_DONE
    raise typer.Exit(status)


def _id_or_same(client: Client, ref: str) -> str:
    # Deleting what is gone already is no error: an order may be given twice.
    try:
        return client.find(ref)
    except JobNotFound:
        return ref


@app.command()
def edit(
    job: JobRef,
    timeout: Seconds = None,
    auto_restart: Annotated[bool | None, typer.Option(help="Queue it again when it times out.")] = None,
    label: Annotated[list[str] | None, typer.Option("--label", "-l", help="KEY=VALUE to set, KEY- to remove.")] = None,
) -> None:
    """Change a job's timeout, auto-restart or labels. The deadline of a running job moves."""
    given = {"timeout": timeout, "auto_restart": auto_restart}
    _edit(job, label or [], **{name: value for name, value in given.items() if value is not None})


@app.command("label")
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
        raise typer.Exit(NOT_DONE)


@app.command()
def wait(job: JobRef) -> None:
    """Wait until a job has ended. Exit status: the job's own, 125 if it has none."""
    with Client() as client:
        raise typer.Exit(follow(client, client.find(job)))
