"""Commands on jobs."""

from __future__ import annotations

import json
from typing import Annotated, Any

import typer
from rich.table import Column, Table

from aitrain.cli.exits import FAILED
from aitrain.cli.following import follow, out, tell_answer, user
from aitrain.client import Client, submit_job
from aitrain.domain.errors import InvalidInput
from aitrain.domain.job import Job, moment
from aitrain.domain.orders import JobEdit
from aitrain.domain.spec import OnHostLoss
from aitrain.domain.states import State

app = typer.Typer(no_args_is_help=True, help="Submit, watch and stop jobs.")


def _pairs(option: str, texts: list[str]) -> dict[str, str]:
    for text in texts:
        if "=" not in text:
            raise InvalidInput.of(option, text, "is not NAME=VALUE", "write it as NAME=VALUE")
    return dict(text.split("=", 1) for text in texts)


@app.command()
def run(
    image: str,
    command: Annotated[list[str] | None, typer.Argument(help="The command and its arguments, after --.")] = None,
    gpu: Annotated[int | None, typer.Option(help="GPUs.")] = None,
    cpu: Annotated[int | None, typer.Option(help="CPUs, for a job without GPUs.")] = None,
    flavor: Annotated[str | None, typer.Option(help="The kind of unit.")] = None,
    env: Annotated[list[str] | None, typer.Option("--env", "-e", help="NAME=VALUE")] = None,
    volume: Annotated[list[str] | None, typer.Option("--volume", "-v", help="container@alias/prefix:/path:rw")] = None,
    label: Annotated[list[str] | None, typer.Option(help="KEY=VALUE")] = None,
    name: Annotated[str | None, typer.Option(help="A readable name; generated if not given.")] = None,
    project: Annotated[str, typer.Option(help="The project that pays.")] = "default",
    timeout: Annotated[int | None, typer.Option(help="Seconds of running; 0 for the site's default.")] = None,
    auto_restart: Annotated[bool, typer.Option(help="Queue it again when it times out.")] = False,
    max_retries: Annotated[int, typer.Option(help="Run it again so often when its command fails.")] = 0,
    retry_exit_code: Annotated[
        list[int] | None, typer.Option(help="Only after this exit code. May be repeated.")
    ] = None,
    platform_retries: Annotated[
        int | None, typer.Option(help="Run it again so often after faults of the platform; 0: never begin it twice.")
    ] = None,
    on_host_loss: Annotated[
        OnHostLoss, typer.Option(help="When its host is lost while it runs: run it again, or end it with ERROR.")
    ] = OnHostLoss.REQUEUE,
    warning: Annotated[int | None, typer.Option(help="Seconds before its timeout at which it is warned.")] = None,
    warning_signal: Annotated[str | None, typer.Option(help="Signal to warn it with, as SIGUSR1.")] = None,
    priority: Annotated[int | None, typer.Option(help="0 to 100: the higher ones have their turn first.")] = None,
    watch: Annotated[bool, typer.Option(help="Follow it to its end.")] = False,
) -> None:
    """Submit a job: aitrain job run IMAGE [options] -- COMMAND..."""
    named = {} if name is None else {"name": name}
    with Client() as client:
        job = submit_job(
            image, command or (), gpu=gpu, cpu=cpu, flavor=flavor, env=_pairs("env", env or []), volumes=volume or (),
            client=client, labels=_pairs("label", label or []), project=project, timeout=timeout,
            auto_restart=auto_restart, max_retries=max_retries, retry_exit_codes=tuple(retry_exit_code or ()),
            platform_retries=platform_retries, on_host_loss=on_host_loss, warning_seconds=warning,
            warning_signal=warning_signal, priority=priority, user=user(), **named,
        )  # fmt: skip
        out.print(job.id)
        if watch:
            raise typer.Exit(follow(client, job.id))


@app.command("list")
def list_jobs(
    project: Annotated[str | None, typer.Option(help="Of this project only.")] = None,
    state: Annotated[State | None, typer.Option(help="In this state only.")] = None,
    limit: Annotated[int, typer.Option(min=1, help="At most so many.")] = 50,
    as_json: Annotated[bool, typer.Option("--json", help="Print them as JSON, each as `get` does.")] = False,
) -> None:
    """List the newest jobs."""
    with Client() as client:
        jobs = list(client.iter_jobs(project=project, states=[state] if state else [], limit=limit))
    if as_json:
        out.print_json(json.dumps([_shown(job) for job in jobs]))
        return
    # Ids are copied into the next command: on a narrow terminal they go over lines and are not cut.
    heads = ["id", "name", "project", "state", "units", "host", "created", "info"]
    table = Table(*(Column(head, overflow="fold") for head in heads))
    for job in jobs:
        created = f"{moment(job.created_ms):%Y-%m-%d %H:%M:%S}"
        table.add_row(
            job.id, job.name, job.project, job.state, f"{job.units} x {job.flavor}", job.host, created, job.code
        )
    out.print(table)


@app.command()
def get(job_id: str) -> None:
    """Show everything about a job, as JSON. Values of variables are left out: they may be secret."""
    with Client() as client:
        out.print_json(json.dumps(_shown(client.get(job_id))))


def _shown(job: Job) -> dict[str, Any]:
    shown = job.model_dump(mode="json", exclude={"fence"})
    shown["spec"]["env"] = dict.fromkeys(job.spec.env, "***")
    return shown


@app.command()
def logs(
    job_id: str,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on until the job ends.")] = False,
    timestamps: Annotated[bool, typer.Option("--timestamps", "-t", help="Put its time before each line.")] = False,
) -> None:
    """Show what a job wrote."""
    with Client() as client:
        for line in client.logs(job_id, follow=follow):
            typer.echo(f"{line.at} {line.text}" if timestamps else line.text)


@app.command()
def stop(job_id: str) -> None:
    """Stop a job. Its data is pushed back, and it does not run again by itself."""
    with Client() as client:
        tell_answer(job_id, client.stop(job_id, by=user()))


@app.command()
def start(job_id: str, watch: Annotated[bool, typer.Option(help="Follow it to its end.")] = False) -> None:
    """Start an ended job again: the same id, its next attempt."""
    with Client() as client:
        answer = client.start(job_id, by=user())
        tell_answer(job_id, answer)
        if not answer.done:
            raise typer.Exit(FAILED)
        if watch:
            raise typer.Exit(follow(client, job_id))


@app.command()
def delete(
    job_id: str, force: Annotated[bool, typer.Option("--force", help="Stop it first if it has not ended.")] = False
) -> None:
    """Delete an ended job: its spec, history and logs. What it was billed stays on the bill."""
    with Client() as client:
        answer = client.delete(job_id, force=force, by=user())
        tell_answer(job_id, answer, "deleted")
        if not answer.done and answer.why == "alive":
            raise typer.Exit(FAILED)


@app.command()
def edit(
    job_id: str,
    timeout: Annotated[int | None, typer.Option(help="Seconds of running in all; 0 for the site's default.")] = None,
    auto_restart: Annotated[bool | None, typer.Option(help="Queue it again when it times out.")] = None,
    label: Annotated[list[str] | None, typer.Option(help="KEY=VALUE to set, KEY- to remove.")] = None,
) -> None:
    """Change a job's timeout, auto-restart or labels. The deadline of a running job moves."""
    drop = tuple(text[:-1] for text in label or () if text.endswith("-") and "=" not in text)
    labels = _pairs("label", [text for text in label or () if text[:-1] not in drop])
    asked = {"timeout": timeout, "auto_restart": auto_restart, "labels": labels or None, "drop_labels": drop or None}
    with Client() as client:
        answer = client.edit(job_id, JobEdit.of(**{name: value for name, value in asked.items() if value is not None}))
        tell_answer(job_id, answer, "edited")
        if not answer.done:
            raise typer.Exit(FAILED)


@app.command()
def wait(job_id: str) -> None:
    """Wait until a job has ended. Exit status: the job's own, 125 if it has none."""
    with Client() as client:
        raise typer.Exit(follow(client, job_id))
