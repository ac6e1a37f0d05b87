"""The command that says why a job waits."""

from __future__ import annotations

from aitrain.cli.output import Format, Output, out, show
from aitrain.cli.refs import JobRef
from aitrain.client import Client
from aitrain.domain.job import moment
from aitrain.domain.waiting import Explanation, Reason


def explain(job: JobRef, output: Output = Format.TABLE) -> None:
    """Say why a job waits, what is before it, and what would start at once."""
    with Client() as client:
        told = client.explain(client.find(job))

    def page() -> None:
        for line in _lines(told):
            out.print(line, markup=False, soft_wrap=True)

    show(told.model_dump(mode="json"), output, page)


def _lines(told: Explanation) -> list[str]:
    lines = [f"{told.reason}: {told.message}"]
    if told.since_ms is None:
        return lines
    queue = (
        "among the project's held jobs"
        if told.reason in (Reason.QUOTA, Reason.BUDGET)
        else "in the queue of its flavor"
    )
    lines.append(f"waits since {_time(told.since_ms)}; position {told.position} {queue}")
    when = "unknown" if told.starts_by_ms is None else f"by {_time(told.starts_by_ms)} at the latest"
    lines.append(f"starts: {when} ({told.estimate})")
    instead = told.would_start_now
    if instead.units:
        lines.append(f"would start at once with {instead.units} unit{'s' * (instead.units > 1)}")
    if instead.flavors:
        lines.append(f"would start at once as {', '.join(instead.flavors)}")
    return lines


def _time(at_ms: int) -> str:
    return f"{moment(at_ms):%Y-%m-%d %H:%M:%S} UTC"
