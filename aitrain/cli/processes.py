"""Commands that are processes of the fleet. They hand this process over to the package `workers`."""

from __future__ import annotations

import importlib.util
import json
import os
import secrets
import sys
from pathlib import Path
from typing import Annotated

import typer

from aitrain.cli.output import Format, Output
from aitrain.domain.errors import InvalidInput

ON_A_HOST = ("docker", "boto3", "pynvml", "structlog")
NEEDS = {
    "worker": ON_A_HOST,
    "flower": ("flower",),
    "metrics": ("prometheus_client",),
    "drill": ON_A_HOST,
    "simulate": ON_A_HOST,
}


def _become(role: str, *arguments: str, extra: str = "worker") -> None:
    missing = [module for module in NEEDS[extra] if importlib.util.find_spec(module) is None]
    if missing:
        raise InvalidInput.of(
            "installation", ", ".join(missing), "is not installed", f"pip install 'aitrain[{_EXTRAS[extra]}]'"
        )
    sys.stdout.flush()
    os.execv(sys.executable, [sys.executable, "-m", "workers", role, *arguments])  # noqa: S606 - no shell is wanted


_EXTRAS = {
    "worker": "worker",
    "flower": "worker,ops",
    "metrics": "worker,ops",
    "drill": "cli,drill",
    "simulate": "cli,worker",
}


def host() -> None:
    """Run both processes of a GPU host: its worker and its agent. Starting it is joining the fleet."""
    _become("host")


def worker() -> None:
    """Run a host's worker: copies data, starts containers. Wraps `celery -A workers.app worker`."""
    _become("worker")


def agent() -> None:
    """Run a host's agent: watches containers, stops them, tells how they ended."""
    _become("agent")


def control() -> None:
    """Run a control worker: timeouts, billing ticks, placement."""
    _become("control")


def beat(
    schedule: Annotated[Path, typer.Option(help="File in which beat keeps when each sweep ran last.")] = Path(
        "celerybeat-schedule"
    ),
) -> None:
    """Run beat, the clock of the sweeps."""
    _become("beat", str(schedule))


def flower(
    config: Annotated[
        Path | None, typer.Option(help="A flowerconfig.py of your own, read after aitrain's; flower.config_file.")
    ] = None,
    address: Annotated[
        str, typer.Option(help="Address to listen on; any but the loopback needs users who log in.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port to listen on.")] = 5555,
    read_only: Annotated[
        bool | None,
        typer.Option("--read-only/--control", help="Only show, or let operators act; flower.read_only if left out."),
    ] = None,
) -> None:
    """Run Flower over this site's broker. Who may open it stands in the settings, in flower."""
    shown_only = "" if read_only is None else "yes" if read_only else "no"
    own = str(config.absolute()) if config else ""
    _become("flower", address, str(port), shown_only, own, extra="flower")


def metrics(
    address: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port to listen on.")] = 9110,
) -> None:
    """Tell Prometheus how the site stands: /metrics, and /healthz for whoever watches this process."""
    _become("metrics", address, str(port), extra="metrics")


def doctor(
    host: Annotated[
        bool | None,
        typer.Option("--host/--no-host", help="Check this machine as a host; as its settings say if left out."),
    ] = None,
    output: Output = Format.TABLE,
) -> None:
    """Check the site, and this machine as its host, before the first job. Exit status 1: something has to be mended."""
    chosen = [] if host is None else ["--host" if host else "--no-host"]
    _become("doctor", output, *chosen)


def drill(
    jobs: Annotated[int, typer.Option(help="How many jobs.")] = 40,
    seed: Annotated[int | None, typer.Option(help="Makes the same drill again; a new one if not given.")] = None,
    minutes: Annotated[float, typer.Option(help="Within which every job has to end.")] = 10,
    faults: Annotated[str, typer.Option(help="Kinds, separated by commas; all; none.")] = "all",
    plant: Annotated[str, typer.Option(help="A defect to plant, to see the table show it.")] = "",
    keep: Annotated[bool, typer.Option("--keep", help="Keep the logs.")] = False,
) -> None:
    """Break a scratch site on this machine in every way, and check that it kept its promises. Needs root."""
    chosen = secrets.randbelow(1_000_000) if seed is None else seed
    order = {"jobs": jobs, "seed": chosen, "minutes": minutes, "faults": faults, "plant": plant, "keep": keep}
    _become("drill", json.dumps(order), extra="drill")


def simulate(
    fleet: Annotated[Path | None, typer.Argument(help="TOML file: hosts, and what happens to them.")] = None,
    jobs: Annotated[
        Path | None, typer.Argument(help="CSV or JSON lines: when which job comes, and how long it runs.")
    ] = None,
    policy: Annotated[
        list[str] | None, typer.Option("--set", help="FIELD=VALUE of timing or limits in the settings, for this only.")
    ] = None,
    compare: Annotated[
        list[str] | None, typer.Option(help="FIELD=VALUE: simulate once more with this, and show both.")
    ] = None,
    until: Annotated[float | None, typer.Option(help="End after so many hours of simulated time.")] = None,
    output: Output = Format.TABLE,
    sample: Annotated[
        int | None, typer.Option(help="Print a made-up list of so many jobs, and simulate nothing.")
    ] = None,
    days: Annotated[float, typer.Option(help="Over which the jobs of --sample come.")] = 2,
    seed: Annotated[int, typer.Option(help="Makes the same --sample again.")] = 0,
) -> None:
    """Replay a list of jobs on a described fleet: waits, use and cost, in minutes instead of days. Touches no site."""
    order = {
        "fleet": str(fleet) if fleet else None, "jobs": str(jobs) if jobs else None, "policy": policy or [],
        "compare": compare or [], "until_hours": until, "output": output,
        "sample": sample, "days": days, "seed": seed,
    }  # fmt: skip
    _become("simulate", json.dumps(order), extra="simulate")


data = typer.Typer(no_args_is_help=True, help="What lies on this host.")


@data.command()
def kept(output: Output = Format.TABLE) -> None:
    """List the results on this host that could not be pushed, how large they are, and until when they are kept."""
    _become("kept", output)


@data.command()
def cache(output: Output = Format.TABLE) -> None:
    """List what this host caches for each project, and what that saved."""
    _become("cache", output)
