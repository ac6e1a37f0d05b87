"""From a planned job to the spec that is submitted, and to what it has to leave in the object store and in its log."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from aitrain import JobSpec, Resources
from workers.drill.fates import FATES, PRELUDE, READY, RESULT
from workers.drill.plan import Plan, PlannedJob
from workers.scratch.images import BUSYBOX_IMAGE

ALIAS, BUCKET, ABSENT_BUCKET = "s3", "drill", "no-such-bucket"
PROJECT = "drill"
INPUT_KEY = "in/x"


@dataclass(frozen=True)
class Content:
    """What a file holds, as its size in bytes and its MD5."""

    size: int
    md5: str

    @classmethod
    def of(cls, data: bytes) -> Content:
        """Of some bytes."""
        return cls(len(data), hashlib.md5(data, usedforsecurity=False).hexdigest())

    def __str__(self) -> str:
        return f"{self.size} bytes with MD5 {self.md5[:8]}"


def output_prefix(job_id: str) -> str:
    """Where a job's results lie in the bucket."""
    return f"out/{job_id}/"


def spec_of(job: PlannedJob) -> JobSpec:
    """What is submitted for a planned job."""
    fate = FATES[job.fate]
    kind = "gpu" if fate.gpu else "cpu"
    resources: dict[str, Any] = {kind: job.units} | ({"flavor": fate.flavor} if fate.flavor else {})
    bucket = ABSENT_BUCKET if fate.missing_input else BUCKET
    return JobSpec.of(
        image=BUSYBOX_IMAGE,
        command=(fate.program, "-c", PRELUDE + fate.script),
        env={
            "PAUSE": str(job.pause_s), "LOG_LINES": str(job.lines), "BYTES": str(job.size_bytes),
            "FILES": str(job.files),
        },
        resources=Resources(**resources),
        volumes=(f"{bucket}@{ALIAS}/in:/in", f"{BUCKET}@{ALIAS}/{output_prefix(job.job_id)}:/out:rw"),
        timeout=fate.timeout,
        auto_restart=fate.auto_restart,
        max_retries=1 if fate.retried else 0,
        retry_exit_codes=fate.retried,
        project=PROJECT,
        name=f"{job.fate}-{job.number}",
    )  # fmt: skip


def run_line(job_id: str, attempt: int) -> Content:
    """The file that each attempt writes first: one line for each container that ran in its place."""
    return Content.of(f"{job_id} {attempt}\n".encode())


def results_of(job: PlannedJob, plan: Plan, attempt: int) -> Iterator[tuple[str, Content]]:
    """What the attempt that counts leaves, by file name."""
    fate = FATES[job.fate]
    if not fate.runs:
        return
    yield f"run-{attempt}", run_line(job.job_id, attempt)
    digest = hashlib.md5(plan.input_text.encode(), usedforsecurity=False).hexdigest()
    yield RESULT, Content.of(f"{digest}  - {job.job_id} {attempt}\n".encode())
    if job.fate == "large":
        line = f"{job.job_id}\n".encode()
        yield "large", Content.of((line * (job.size_bytes // len(line) + 1))[: job.size_bytes])
    if job.fate == "many":
        yield from ((f"many/{number}", Content.of(f"{number}\n".encode())) for number in range(1, job.files + 1))


def log_of(job: PlannedJob) -> list[str]:
    """What the attempt that counts writes to its log."""
    if job.fate == "chatty":
        return [str(number) for number in range(1, job.lines + 1)]
    return [READY] if FATES[job.fate].stop and FATES[job.fate].runs else []
