"""Commands on hosts and queues, for operators. `aitrain host` alone runs a host."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.markup import escape
from rich.table import Table

from aitrain.cli import processes, suggestions
from aitrain.cli.columns import number, whole
from aitrain.cli.exits import FAILED
from aitrain.cli.following import user
from aitrain.cli.output import Format, Output, out
from aitrain.cli.output import show as show_data
from aitrain.cli.values import seconds
from aitrain.client import Client
from aitrain.domain.host import MEANINGS, HostState, HostView, QueueView
from aitrain.domain.job import moment

app = typer.Typer(
    invoke_without_command=True,
    help="Run both processes of a GPU host, its worker and its agent: starting it is joining the fleet. With a "
    "command: look at hosts, empty them, take them out.",
)
queues = typer.Typer(no_args_is_help=True, help="The queues that carry the steps' messages.")

Name = Annotated[str, typer.Argument(help="The host's name.", autocompletion=suggestions.hosts)]
Unit = Annotated[str, typer.Option("--unit", help="Of this unit only: its id, or FLAVOR/ID.")]
Reason = Annotated[str, typer.Option(help="Why, for those who wonder.")]

STYLES = {
    HostState.READY: "green", HostState.CORDONED: "yellow", HostState.DRAINING: "yellow", HostState.DRAINED: "yellow",
    HostState.UNFIT: "red", HostState.AWAY: "red", HostState.LOST: "red",
}  # fmt: skip
# Why a host is not removed, and what helps.
WHY_NOT_REMOVED = {
    "alive": "it is alive; end its processes, and wait until its lease has lapsed",
    "jobs": "it has jobs; drain it first. Of a lost host, beat's sweep takes the jobs away that may have run; --force "
    "gives up results that it has yet to push",
    "not_lost": "it is not lost yet: its jobs may still end well. Try again later",
}


@app.callback()
def host(context: typer.Context) -> None:
    """Runs a host, if no command follows."""
    if context.invoked_subcommand is None:
        processes.host()


@app.command("list")
def list_hosts(output: Output = Format.TABLE) -> None:
    """List hosts: how each stands, what is free, what waits in its queues."""
    with Client() as client:
        views = client.hosts()
    show_data([_shown(view) for view in views], output, lambda: _print_hosts(views))


def _print_hosts(views: list[HostView]) -> None:
    numbers = (number(head) for head in ("free", "held", "aside", "jobs", "heard", "queued"))
    table = Table(whole("host"), "state", "units", *numbers)
    for view in views:
        counts = [(flavor.flavor, flavor.free, flavor.held, flavor.aside) for flavor in view.flavors]
        columns = zip(*(counts or [("none", 0, 0, 0)]), strict=True)
        table.add_row(
            view.name, _styled(view.state), *("\n".join(map(str, column)) for column in columns),
            f"{len(view.jobs)}/{view.max_jobs}", _ago(view), _messages(view),
        )  # fmt: skip
    out.print(table)
    for view in views:
        if why := _why(view):
            out.print(f"{view.name} {why}", markup=False, soft_wrap=True)
    for version in sorted({view.version for view in views if view.version}):
        names = ", ".join(view.name for view in views if view.version == version)
        out.print(f"aitrain {version}: {names}", markup=False, soft_wrap=True)


@app.command()
def show(name: Name, output: Output = Format.TABLE) -> None:
    """Show a host: each of its units and jobs."""
    with Client() as client:
        view = client.host(name)
    show_data(_shown(view), output, lambda: _print_host(view))


def _print_host(view: HostView) -> None:
    out.print(f"{view.name} {_styled(view.state)}: {MEANINGS[view.state]}", soft_wrap=True)
    if why := _why(view):
        out.print(why, markup=False, soft_wrap=True)
    if view.version:
        out.print(f"aitrain {view.version}", markup=False, soft_wrap=True)
    out.print(
        f"heard {_ago(view)} ago; room for {view.room} more of {view.max_jobs} jobs; "
        f"messages in its queues: {_messages(view)}", soft_wrap=True,
    )  # fmt: skip
    units = Table("flavor", whole("unit"), whole("job"), "aside because")
    for flavor in view.flavors:
        for unit in flavor.units:
            deadline = f", its job is evicted at {_at(unit.drain_ms)}" if unit.drain_ms else ""
            units.add_row(flavor.flavor, escape(unit.id), unit.job_id, escape(unit.why_aside + deadline))
    out.print(units)
    if view.jobs:
        jobs = Table(whole("job"), "state", "units")
        for job in view.jobs:
            jobs.add_row(job.id, job.state, f"{job.units} x {job.flavor}")
        out.print(jobs)


@app.command()
def cordon(name: Name, unit: Unit = "", reason: Reason = "") -> None:
    """Give a host, or one of its units, no more jobs. What runs there goes on. It outlives restarts."""
    with Client() as client:
        client.cordon_host(name, unit, by=user(), reason=reason)
    out.print(f"{_named(name, unit)} cordoned", markup=False)


@app.command()
def uncordon(name: Name, unit: Unit = "") -> None:
    """Take a cordon or a drain back."""
    with Client() as client:
        client.uncordon_host(name, unit)
    out.print(f"{_named(name, unit)} gets jobs again", markup=False)


@app.command()
def drain(
    name: Name,
    unit: Unit = "",
    deadline: Annotated[
        int | None,
        typer.Option(
            parser=seconds, metavar="DURATION", help="As 2h: after it, jobs are stopped, pushed and run elsewhere."
        ),
    ] = None,
    reason: Reason = "",
    wait: Annotated[bool, typer.Option("--wait", help="Until no job is left there.")] = False,
) -> None:
    """Empty a host, or one of its units: no new jobs, and those that run finish, or leave at the deadline."""
    with Client() as client:
        client.drain_host(name, unit, deadline=deadline, by=user(), reason=reason)
        if wait:
            client.wait_drained(name, unit)
        view = client.host(name)
    if unit:
        held = view.unit(unit)
        left = 1 if held is not None and held.job_id else 0
    else:
        left = len(view.jobs)
    out.print(f"{_named(name, unit)} " + (f"drains; jobs there: {left}" if left else "drained"), markup=False)


@app.command()
def remove(
    name: Name,
    force: Annotated[
        bool, typer.Option("--force", help="Of a lost host: give up the results that it has yet to push.")
    ] = False,
) -> None:
    """Forget a host whose processes have ended. Starting it again is joining anew."""
    with Client() as client:
        answer = client.remove_host(name, force=force, by=user())
    if answer.done:
        out.print(f"{name} removed", markup=False)
        return
    out.print(f"{name} is not removed: {WHY_NOT_REMOVED.get(answer.why or '', answer.why)}", soft_wrap=True)
    for job_id in answer.jobs:
        out.print(job_id)
    raise typer.Exit(FAILED)


@queues.command("list")
def list_queues(output: Output = Format.TABLE) -> None:
    """List every queue of the site: what waits in it, and who reads it."""
    with Client() as client:
        views = client.queues()
    show_data([view.model_dump(mode="json") for view in views], output, lambda: _queue_table(views))


def _queue_table(views: list[QueueView]) -> Table:
    table = Table(whole("queue"), number("messages"), whole("of"), whole("read by"), number("dropped"), "alarm")
    for view in views:
        table.add_row(
            view.name, str(view.messages), _owner(view), ", ".join(view.workers or ()), str(view.dropped),
            f"[red]{view.alarm}[/red]" if view.alarm else "",
        )  # fmt: skip
    return table


def _shown(view: HostView) -> dict[str, object]:
    counts = {
        flavor.flavor: {"total": flavor.total, "free": flavor.free, "held": flavor.held, "aside": flavor.aside}
        for flavor in view.flavors
    }
    return view.model_dump(mode="json") | {"units": counts, "room": view.room}


def _styled(state: HostState) -> str:
    return f"[{STYLES[state]}]{state}[/{STYLES[state]}]"


def _owner(view: QueueView) -> str:
    if not view.host:
        return view.owner
    return f"{view.owner} {view.host}" + (f", {_styled(view.state)}" if view.state else "")


def _why(view: HostView) -> str:
    """What was ordered of a host, for people."""
    if view.cordon_ms is None:
        return ""
    order = "cordoned" if view.drain_ms is None else "drained"
    by = f" by {view.cordon_by}" if view.cordon_by else ""
    reason = f": {view.cordon_reason}" if view.cordon_reason else ""
    deadline = f"; jobs are evicted at {_at(view.drain_ms)}" if view.drain_ms else ""
    return f"{order}{by} at {_at(view.cordon_ms)}{reason}{deadline}"


def _named(name: str, unit: str) -> str:
    return f"unit {unit} of {name}" if unit else name


def _at(ms: int) -> str:
    return f"{moment(ms):%Y-%m-%d %H:%M:%S}"


def _ago(view: HostView) -> str:
    return f"{view.seen_ms_ago / 1000:.0f} s"


def _messages(view: HostView) -> str:
    dropped = f", {view.dropped} dropped" if view.dropped else ""
    return ("?" if view.messages is None else str(view.messages)) + dropped
