"""The command that submits a job: a spec from options, files, the environment and earlier jobs."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Any

import typer

from aitrain.cli import suggestions
from aitrain.cli.following import follow, user
from aitrain.cli.lazy import AFTER_DASHES
from aitrain.cli.output import Format, Output, out, show
from aitrain.cli.showing import record, shown_spec
from aitrain.cli.values import pairs, seconds
from aitrain.client import Client
from aitrain.domain.errors import InvalidInput
from aitrain.domain.spec import ENV_NAME, JobSpec, OnHostLoss


def run(
    ctx: typer.Context,
    image: Annotated[str | None, typer.Argument(help="Docker image; that of the job of --from if left out.")] = None,
    command: Annotated[list[str] | None, typer.Argument(help="The command and its arguments, after --.")] = None,
    gpu: Annotated[int | None, typer.Option(help="GPUs.")] = None,
    cpu: Annotated[int | None, typer.Option(help="CPUs, for a job without GPUs.")] = None,
    flavor: Annotated[str | None, typer.Option(help="The kind of unit.", autocompletion=suggestions.flavors)] = None,
    env: Annotated[list[str] | None, typer.Option("--env", "-e", help="NAME=VALUE, or NAME as it is set here.")] = None,
    env_file: Annotated[list[Path] | None, typer.Option(help="A file of such lines; --env goes before it.")] = None,
    secret_env: Annotated[
        list[str] | None, typer.Option(help="NAME as it is set here, kept sealed; or NAME=VALUE, which others may see.")
    ] = None,
    secret_env_file: Annotated[
        list[Path] | None, typer.Option(help="A file of such lines; --secret-env goes before it.")
    ] = None,
    volume: Annotated[list[str] | None, typer.Option("--volume", "-v", help="container@alias/prefix:/path:rw")] = None,
    label: Annotated[list[str] | None, typer.Option("--label", "-l", help="KEY=VALUE")] = None,
    name: Annotated[str | None, typer.Option(help="A readable name; generated if not given.")] = None,
    project: Annotated[
        str | None, typer.Option(envvar="AITRAIN_PROJECT", help="The project that pays; `default` if not given.")
    ] = None,
    timeout: Annotated[
        int | None, typer.Option(parser=seconds, metavar="DURATION", help="Of running; 0 for the site's default.")
    ] = None,
    auto_restart: Annotated[
        bool | None, typer.Option("--auto-restart/--no-auto-restart", help="Queue it again when it times out.")
    ] = None,
    max_retries: Annotated[int | None, typer.Option(help="Run it again so often when its command fails.")] = None,
    retry_exit_code: Annotated[
        list[int] | None, typer.Option(help="Only after this exit code. May be repeated.")
    ] = None,
    platform_retries: Annotated[
        int | None, typer.Option(help="Run it again so often after faults of the platform; 0: never begin it twice.")
    ] = None,
    on_host_loss: Annotated[
        OnHostLoss | None, typer.Option(help="When its host is lost while it runs: run it again, or end it with ERROR.")
    ] = None,
    warning: Annotated[
        int | None, typer.Option(parser=seconds, metavar="DURATION", help="So long before its timeout it is warned.")
    ] = None,
    warning_signal: Annotated[str | None, typer.Option(help="Signal to warn it with, as SIGUSR1.")] = None,
    priority: Annotated[int | None, typer.Option(help="0 to 100: the higher ones have their turn first.")] = None,
    earlier: Annotated[
        str | None,
        typer.Option(
            "--from",
            metavar="JOB",
            help="As this job; what else is given goes before it.",
            autocompletion=suggestions.jobs,
        ),
    ] = None,
    job_id: Annotated[str | None, typer.Option(help="A UUID: submitted twice with it, there is one job.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Check it, say its price, and submit nothing.")] = False,
    watch: Annotated[bool, typer.Option(help="Follow it to its end.")] = False,
    output: Output = Format.TABLE,
) -> None:
    """Submit a job: aitrain job run IMAGE OPTIONS -- COMMAND..."""
    if image is not None and len(command or []) < len(ctx.meta[AFTER_DASHES]):
        # It stood after --, too: with --from a command may be given, and no image.
        command = [image, *(command or [])]
        image = None
    if image is None and earlier is None:
        raise typer.BadParameter("name an image, or an earlier job with --from", ctx=ctx)
    if watch and output is not Format.TABLE:
        raise typer.BadParameter(
            "--watch tells people how it goes on: leave -o out, or use `aitrain job wait`", ctx=ctx
        )
    asked: dict[str, Any] = {
        "image": image, "command": command or None, "volumes": volume or None, "name": name, "project": project,
        "timeout": timeout, "auto_restart": auto_restart, "max_retries": max_retries,
        "retry_exit_codes": retry_exit_code or None, "platform_retries": platform_retries,
        "on_host_loss": on_host_loss, "warning_seconds": warning, "warning_signal": warning_signal,
        "priority": priority, "user": user(),
    }  # fmt: skip
    variables = {**_of_files(env_file or [], "env_file"), **_variables(env or [], "env")}
    secrets = {**_of_files(secret_env_file or [], "secret_env_file"), **_variables(secret_env or [], "secret_env")}
    labels = pairs("label", label or [])
    with Client() as client:
        fields = {} if earlier is None else _as_before(client.get(client.find(earlier)).spec)
        units = _units(fields.get("resources", {}), gpu, cpu, flavor)
        fields |= {field: value for field, value in asked.items() if value is not None}
        fields["secret_env"] = {**dict.fromkeys(fields.get("secret_env", ())), **secrets}
        fields |= {"env": {**fields.get("env", {}), **variables}, "labels": {**fields.get("labels", {}), **labels}}
        spec = JobSpec.of(**{**fields, "resources": units})
        if dry_run:
            _tell_price(client, spec, output)
            return
        job = client.submit(spec, job_id=job_id)
        show(record(job), output, lambda: out.print(job.id))
        if watch:
            raise typer.Exit(follow(client, job.id, whole_log=True))


def _as_before(spec: JobSpec) -> dict[str, Any]:
    # A name is made anew: two jobs of one name could not be told apart by it.
    return spec.model_dump(exclude={"name", "user"})


def _units(before: dict[str, Any], gpu: int | None, cpu: int | None, flavor: str | None) -> dict[str, Any]:
    units = {name: value for name, value in before.items() if value is not None}
    if gpu is not None or cpu is not None:
        # A flavor is of one kind: it does not outlive a change from GPUs to CPUs.
        kept = units if (gpu is None) == (units.get("gpu") is None) else {}
        units = {name: value for name, value in kept.items() if name == "flavor"}
    given = {"gpu": gpu, "cpu": cpu, "flavor": flavor}
    return units | {name: value for name, value in given.items() if value is not None}


def _variables(texts: list[str], where: str) -> dict[str, str]:
    """Variables from NAME=VALUE, or from NAME alone as it is set here. No error repeats what may be a value."""
    found = {}
    for text in texts:
        name, is_pair, value = text.partition("=")
        if not is_pair and name not in os.environ:
            told = name if ENV_NAME.fullmatch(name) else ""
            raise InvalidInput.of(where, told, "has no value, and is not set here", "write it as NAME=VALUE, or set it")
        found[name] = value if is_pair else os.environ[name]
    return found


def _of_files(files: list[Path], field: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for file in files:
        try:
            lines = file.read_text(encoding="utf-8").splitlines()
        except (OSError, UnicodeDecodeError) as error:
            why = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
            raise InvalidInput.of(field, file, f"cannot be read: {why}", "name a file of NAME=VALUE lines") from None
        for number, line in enumerate(lines, 1):
            if line.strip() and not line.lstrip().startswith("#"):
                found |= _variables([line.lstrip()], f"{field} {file}, line {number}")
    return found


def _tell_price(client: Client, spec: JobSpec, output: Format) -> None:
    admitted = client.check(spec)
    hourly = admitted.hourly_price * admitted.units
    most = hourly * admitted.timeout_s / 3600 if admitted.timeout_s else None
    told = {
        "spec": shown_spec(spec),
        "flavor": admitted.flavor, "units": admitted.units, "timeout_s": admitted.timeout_s,
        "priority": admitted.priority, "currency": client.settings.currency, "hourly_price": f"{hourly:.6f}",
        "price_by_timeout": None if most is None else f"{most:.6f}",
    }  # fmt: skip
    show(told, output, lambda: _lines(told))


def _lines(told: dict[str, Any]) -> None:
    for field, value in told["spec"].items():
        if value not in (None, "", [], {}) and field != "resources":
            out.print(f"{field}: {value}", markup=False, soft_wrap=True)
    out.print(f"{told['units']} x {told['flavor']}, for at most {told['timeout_s'] or 'any number of'} s")
    most = "" if told["price_by_timeout"] is None else f", at most {told['price_by_timeout']} by its timeout"
    out.print(f"{told['hourly_price']} {told['currency']} an hour{most}; nothing was submitted", soft_wrap=True)
