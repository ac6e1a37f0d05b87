"""The command that lists jobs."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Annotated

import typer
from rich.live import Live
from rich.table import Column, Table
from rich.text import Text

from aitrain.cli.columns import job_id, number, whole
from aitrain.cli.output import Format, Output, out, show
from aitrain.cli.patience import patiently
from aitrain.cli.showing import record
from aitrain.cli.styles import STYLES, telling
from aitrain.cli.values import age, past_ms
from aitrain.client import Client
from aitrain.domain.job import Job, moment
from aitrain.domain.states import ENDED, State

REDRAW_SECONDS = 1.0

ALIVE = [state for state in State if state not in ENDED]


def list_jobs(
    project: Annotated[str | None, typer.Option(help="Of this project only.")] = None,
    state: Annotated[list[State] | None, typer.Option("--state", "-s", help="In this state. May be repeated.")] = None,
    label: Annotated[list[str] | None, typer.Option("--label", "-l", help="KEY or KEY=VALUE. May be repeated.")] = None,
    user: Annotated[str | None, typer.Option(help="Of this user only.")] = None,
    name: Annotated[str | None, typer.Option(help="Of this name only.")] = None,
    since: Annotated[
        int | None, typer.Option(parser=past_ms, metavar="TIME", help="Submitted since: 2h, a date.")
    ] = None,
    until: Annotated[int | None, typer.Option(parser=past_ms, metavar="TIME", help="Submitted before.")] = None,
    every: Annotated[bool, typer.Option("--all", "-a", help="Those that have ended, too.")] = False,
    limit: Annotated[int, typer.Option(min=1, help="At most so many.")] = 50,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Ids only.")] = False,
    no_trunc: Annotated[bool, typer.Option("--no-trunc", help="Whole ids on a narrow terminal, too.")] = False,
    watch: Annotated[
        bool, typer.Option("--watch", "-w", help="Go on: redraw, or add lines where no terminal is.")
    ] = False,
    output: Output = Format.TABLE,
) -> None:
    """List the newest jobs that have not ended; with --all or --state others."""
    labels = {key: value if given else None for key, given, value in (text.partition("=") for text in label or [])}
    states = state or ([] if every else ALIVE)

    def read() -> list[Job]:
        return list(
            client.iter_jobs(
                project=project, states=states, labels=labels, user=user, name=name, created_after_ms=since,
                created_before_ms=until, limit=limit,
            )
        )  # fmt: skip

    with Client() as client:
        if watch and not quiet and output is Format.TABLE:
            _watch(read, no_trunc)
        jobs = read()
    if quiet:
        for job in jobs:
            typer.echo(job.id)
        return
    show([record(job) for job in jobs], output, lambda: _table(jobs, no_trunc))


def _table(jobs: list[Job], no_trunc: bool) -> Table:
    info = [telling(job.state, job.code) for job in jobs]
    table = Table(
        Column("id", no_wrap=True),
        *(whole(head) for head in ("name", "project", "state", "units", "host")),
        number("age"),
        *([whole("info")] if any(info) else []),
    )
    for job, code in zip(jobs, info, strict=True):
        table.add_row(
            job.id if no_trunc else job_id(job.id), job.name, job.project, Text(job.state, STYLES[job.state]),
            f"{job.units} x {job.flavor}", job.host, age(job.created_ms), *([code] if any(info) else []),
        )  # fmt: skip
    return table


def _watch(read: Callable[[], list[Job]], no_trunc: bool) -> None:
    """Until Ctrl-C."""
    told: dict[str, State] = {}
    try:
        with Live(console=out, auto_refresh=False) as live:
            while True:
                jobs = patiently(read)
                if out.is_terminal:
                    live.update(_table(jobs, no_trunc), refresh=True)
                else:
                    for job in reversed(jobs):
                        if told.get(job.id) != job.state:
                            typer.echo(
                                f"{moment(job.state_ms):%H:%M:%S} {job.id} {job.name} {job.state} {job.host}".rstrip()
                            )
                    told = {job.id: job.state for job in jobs}
                time.sleep(REDRAW_SECONDS)
    except KeyboardInterrupt:
        raise typer.Exit from None
