"""Commands on quotas of projects."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.table import Table

from aitrain.cli.columns import number, whole
from aitrain.cli.output import Format, Output, out
from aitrain.cli.output import show as show_data
from aitrain.cli.values import duration, seconds
from aitrain.client import Client
from aitrain.domain.egress import Egress
from aitrain.domain.quota import OverQuota, ProjectRules, Quota, QuotaKind

app = typer.Typer(no_args_is_help=True, help="What a project may have at once.")

GIB = 1024**3


@app.command("set")
def set_(
    project: str,
    gpus: Annotated[int | None, typer.Option(min=0, help="GPUs; leave out to keep.")] = None,
    cpus: Annotated[int | None, typer.Option(min=0, help="CPUs; leave out to keep.")] = None,
    jobs: Annotated[int | None, typer.Option(min=0, help="Jobs; leave out to keep.")] = None,
    cache_gib: Annotated[
        float | None, typer.Option(min=0, help="GiB in the caches of all hosts; leave out to keep.")
    ] = None,
    over: Annotated[
        OverQuota | None, typer.Option(help="What becomes of a job over the quota; leave out to keep.")
    ] = None,
    max_timeout: Annotated[
        int | None,
        typer.Option(
            parser=seconds,
            metavar="DURATION",
            help="Longest timeout of its jobs, as 12h; 0: none; leave out to keep.",
        ),
    ] = None,
    max_priority: Annotated[
        int | None, typer.Option(min=0, max=100, help="Highest priority of its jobs; leave out to keep.")
    ] = None,
    egress: Annotated[
        Egress | None,
        typer.Option(help="What its jobs reach over the network, from their next start on; leave out to keep."),
    ] = None,
    none: Annotated[bool, typer.Option("--none", help="Lift all limits of its own; the site's hold.")] = False,
) -> None:
    """Set a project's quota. Held jobs for which there is room then are let in at once."""
    with Client() as client:
        if none or over is not None:
            client.set_over_quota(project, over)
        cache = None if cache_gib is None else round(cache_gib * GIB)
        limits = {QuotaKind.GPU: gpus, QuotaKind.CPU: cpus, QuotaKind.JOBS: jobs, QuotaKind.CACHE: cache}
        for kind, limit in limits.items():
            if none or limit is not None:
                client.set_quota(project, kind, limit)
        if none or max_timeout is not None:
            client.set_timeout_limit(project, max_timeout)
        if none or max_priority is not None:
            client.set_priority_limit(project, max_priority)
        if none or egress is not None:
            client.set_egress(project, egress)
        _tell(client, project)


@app.command()
def show(project: str, output: Output = Format.TABLE) -> None:
    """Show a project's quota of each kind, what is in use, how many jobs are held, and its jobs' other limits."""
    with Client() as client:
        _tell(client, project, output)


@app.command("list")
def list_(output: Output = Format.TABLE) -> None:
    """List what is set of projects: their quotas, and the other limits of their jobs."""
    with Client() as client:
        quotas, rules = client.quotas(), client.project_rules()
    shown = {
        "quotas": [quota.model_dump(mode="json") for quota in quotas],
        "rules": [
            {
                "project": rule.project, "over_quota": rule.over_quota and rule.over_quota.value,
                "max_timeout_seconds": rule.max_timeout_s, "max_priority": rule.max_priority,
                "egress": rule.egress and rule.egress.value,
            }
            for rule in rules
        ],
    }  # fmt: skip

    def tables() -> None:
        _print(quotas)
        if rules:
            _print_rules(rules)

    show_data(shown, output, tables)


def _tell(client: Client, project: str, output: Format = Format.TABLE) -> None:
    quotas, over, held = client.quotas(project), client.over_quota(project), client.held_count(project)
    timeout_s, priority = client.timeout_limit(project), client.priority_limit(project)
    egress = client.egress(project)
    shown = {
        "project": project, "over_quota": over.value, "held_jobs": held,
        "quotas": [quota.model_dump(mode="json") for quota in quotas],
        "max_timeout_seconds": timeout_s, "max_priority": priority, "egress": egress.value,
    }  # fmt: skip

    def table() -> None:
        _print(quotas)
        out.print(f"a job over the quota is {'held' if over is OverQuota.HOLD else 'refused'}; held now: {held}")
        longest = duration(timeout_s) if timeout_s else "without limit"
        out.print(f"longest timeout of a job: {longest}; highest priority: {priority}")
        reached = "nothing" if egress is Egress.NONE else "what their host does, but not each other"
        out.print(f"over the network jobs reach {reached} ({egress})")

    show_data(shown, output, table)


def _print_rules(rules: list[ProjectRules]) -> None:
    heads = ("over the quota", "longest timeout", "highest priority", "egress")
    table = Table(whole("project"), *heads, caption="-: as the site's settings say")
    for rule in rules:
        timeout = "-" if rule.max_timeout_s is None else duration(rule.max_timeout_s) if rule.max_timeout_s else "none"
        priority = "-" if rule.max_priority is None else str(rule.max_priority)
        table.add_row(rule.project, rule.over_quota or "-", timeout, priority, rule.egress or "-")
    out.print(table)


def _print(quotas: list[Quota]) -> None:
    table = Table(whole("project"), "kind", number("limit"), number("in use"))
    for quota in quotas:
        unit = " B" if quota.kind is QuotaKind.CACHE else ""
        limit = "none" if quota.limit is None else f"{quota.limit:,}{unit}"
        table.add_row(quota.project, quota.kind, limit, f"{quota.used:,}{unit}")
    out.print(table)
