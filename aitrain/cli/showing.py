"""The command that shows everything about jobs."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from aitrain.cli.output import Format, Output, out, show
from aitrain.cli.refs import JobRefs, found
from aitrain.cli.styles import telling
from aitrain.cli.values import duration
from aitrain.client import Client
from aitrain.domain.job import Job, moment
from aitrain.domain.spec import JobSpec


def get(jobs: JobRefs, output: Output = Format.TABLE) -> None:
    """Show everything about jobs. Values of variables are left out: they may be secret."""
    with Client() as client:
        shown = [client.get(job_id) for job_id in found(client, jobs)]
        currency = client.settings.currency
    records = [record(job) for job in shown]

    def page() -> None:
        for number, job in enumerate(shown):
            for line in ([""] if number else []) + list(_lines(job, currency)):
                out.print(line, markup=False, soft_wrap=True)

    show(records if len(records) > 1 else records[0], output, page)


def record(job: Job) -> dict[str, Any]:
    """A job as JSON shows it: without the values of its variables, which may be secret."""
    shown: dict[str, Any] = job.model_dump(mode="json", exclude={"fence"})
    shown["spec"] = shown_spec(job.spec)
    return shown


def shown_spec(spec: JobSpec) -> dict[str, Any]:
    """A spec as JSON shows it: of its variables the names only."""
    hidden = {"env": dict.fromkeys(spec.env, "***"), "secret_env": dict.fromkeys(spec.secret_env, "(secret)")}
    return {**spec.model_dump(mode="json"), **hidden}


def _lines(job: Job, currency: str) -> Iterator[str]:
    ended = "" if job.exit_code is None else f", exit code {job.exit_code}"
    yield f"{job.name}  {job.id}"
    yield f"state     {job.state} ({job.code}{ended})"
    if job.message:
        yield f"          {job.message}"
    yield f"project   {job.project}" + (f", submitted by {job.spec.user}" if job.spec.user else "")
    yield f"image     {job.spec.image}"
    if job.spec.command:
        # As a list: where an argument begins and ends is to be seen.
        yield f"command   {list(job.spec.command)}"
    yield f"units     {job.units} x {job.flavor}" + (f" on {job.host}" if job.host else "")
    if job.egress is not None:
        yield f"network   {job.egress}"
    restart = ", then queued again" if job.auto_restart else ""
    yield f"timeout   {duration(job.timeout_s) if job.timeout_s else 'none'}{restart}"
    if job.labels:
        yield "labels    " + " ".join(f"{key}={value}" for key, value in sorted(job.labels.items()))
    if job.spec.env:
        yield "variables " + " ".join(sorted(job.spec.env))
    if job.spec.secret_env:
        yield "secret    " + " ".join(f"{name}=(secret)" for name in sorted(job.spec.secret_env))
    amount = job.hourly_price * job.units * job.billed_minutes / 60
    earlier = ", without its earlier attempts" * bool(job.earlier_attempts)
    yield f"bill      {_minutes(job.billed_minutes)}, {amount:.4f} {currency}{earlier}"
    for volume in job.spec.volumes:
        source = volume.url or f"{volume.container}@{volume.alias}/{volume.prefix}"
        progress = job.progress.get(volume.mount_path)
        copied = "" if progress is None else f"  {progress.direction}: {progress.processed} of {progress.total} files"
        yield f"volume    {volume.mount_path} ({volume.permission}) from {source}{copied}"
    for end in job.earlier_attempts:
        code = "" if end.exit_code is None else f", exit code {end.exit_code}"
        yield f"attempt   {end.attempt}: {end.cause}{code}, {_minutes(end.minutes)} on {end.host or 'no host'}"
    for entry in job.history:
        why = entry.message or telling(entry.state, entry.code)
        yield f"history   {moment(entry.at_ms):%Y-%m-%d %H:%M:%S} {entry.state:<13} {why}".rstrip()


def _minutes(number: int) -> str:
    return f"{number} commenced minute{'s' * (number != 1)}"
