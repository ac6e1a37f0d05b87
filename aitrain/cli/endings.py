"""What is told of a job that has ended: what was copied, what it cost, and where its results are."""

from __future__ import annotations

from rich.filesize import decimal

from aitrain.client import Client
from aitrain.domain.billing import amount, month_of
from aitrain.domain.errors import InvalidInput
from aitrain.domain.job import Direction, Job
from aitrain.domain.money import SHOWN_UNIT
from aitrain.domain.states import InfoCode

WORDS = {"pulled": Direction.PULL, "pushed": Direction.PUSH}


def end_lines(client: Client, job: Job) -> list[str]:
    """The lines: what was copied, the bill of a job that ran, and its writable volumes if they were pushed."""
    lines = [f"{word}: {', '.join(copied)}" for word, way in WORDS.items() if (copied := _copied(job, way))]
    minutes = job.billed_minutes + sum(end.minutes for end in job.earlier_attempts)
    if minutes:
        lines.append(f"bill: {minutes} commenced minute{'s' * (minutes > 1)}{_amount(client, job)}")
    sources = [volume.source for volume in job.spec.volumes if volume.permission.writable]
    if sources and job.finished_ms is not None and job.code is not InfoCode.JOB_SYNC_FAILED:
        lines.append("results: " + ", ".join(sources))
    return lines


def _copied(job: Job, way: Direction) -> list[str]:
    """Of its last attempt, each volume's copy of that way."""
    copied = []
    for path, now in job.progress.items():
        if now.direction is way:
            failed = f", {now.failed} failed" * bool(now.failed)
            copied.append(f"{path} ({now.completed} of {now.total} files, {decimal(now.bytes)}{failed})")
    return copied


def _amount(client: Client, job: Job) -> str:
    # From the ledger: prices may have changed since it was submitted.
    months = sorted({month_of(entry.at_ms) for entry in job.history})
    try:
        lines = [line for month in months for line, _ in client.bill_lines(job.project, month, job_id=job.id)]
    except InvalidInput:  # a month of an old job was pruned: its minutes are known, its lines lie in the export
        return ""
    return f", {amount(lines, SHOWN_UNIT)} {client.settings.currency}"
