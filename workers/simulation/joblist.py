"""The list of jobs that is replayed: CSV with a header, or JSON lines.

submitted_s,project,flavor,units,run_s,timeout_s,copy_in_s,start_s,copy_out_s,exit_code,priority
0,vision,v100s,2,5400,,120,10,60,0,
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from aitrain.domain.errors import InvalidInput, Problem
from aitrain.domain.flavor import Slug
from workers.simulation.files import LONGEST_SECONDS, Seconds, checked, read_text

# One wrong column makes every line wrong: the first ones say it.
MOST_PROBLEMS = 10


class ListedJob(BaseModel):
    """One job of the list. Times in seconds, a year at most.

    submitted_s: after the beginning; flavor: None for the site's default GPU; run_s: how long its command takes, each
    time it is run; timeout_s: None for the site's default; copy_in_s, copy_out_s: of its data; start_s: pulling the
    image and starting the container; exit_code: of its command; priority: None for the site's default.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    submitted_s: Seconds = 0
    project: Slug = "default"
    flavor: Slug | None = None
    units: int = Field(default=1, ge=1)
    run_s: float = Field(gt=0, le=LONGEST_SECONDS, allow_inf_nan=False)
    timeout_s: int | None = Field(default=None, ge=0)
    copy_in_s: Seconds = 0
    start_s: Seconds = 0
    copy_out_s: Seconds = 0
    exit_code: int = Field(default=0, ge=0, le=255)
    priority: int | None = None


def read_jobs(path: Path, flavors: Collection[str]) -> list[ListedJob]:
    """The jobs of a file. JSON lines if it begins with a brace, else CSV.

    flavors: of the site's catalogue. Raises InvalidInput, which names line, field, value and remedy.
    """
    text = read_text("jobs", path)
    rows = _json_lines(text) if text.lstrip().startswith("{") else _csv(text)
    jobs: list[ListedJob] = []
    problems: list[Problem] = []
    for line, values in rows:
        try:
            job = checked(ListedJob, values, f"jobs line {line}: ")
            if job.flavor is not None and job.flavor not in flavors:
                remedy = f"use one of: {', '.join(sorted(flavors))}, or leave it out"
                raise InvalidInput.of(f"jobs line {line}: flavor", job.flavor, "is not a flavor of this site", remedy)
            jobs.append(job)
        except InvalidInput as error:
            problems += error.problems
            if len(problems) >= MOST_PROBLEMS:
                break
    if problems:
        raise InvalidInput(problems)
    if not jobs:
        columns = ",".join(ListedJob.model_fields)
        raise InvalidInput.of("jobs", path, "has no job", f"write a line for each, below the header {columns}")
    return jobs


def _json_lines(text: str) -> Iterator[tuple[int, dict[str, Any]]]:
    for line, row in enumerate(text.splitlines(), start=1):
        if not row.strip():
            continue
        try:
            values = json.loads(row)
        except json.JSONDecodeError as error:
            raise InvalidInput.of(f"jobs line {line}", row[:80], f"is not JSON ({error})", "write an object") from None
        if not isinstance(values, dict):
            raise InvalidInput.of(f"jobs line {line}", row[:80], "is no JSON object", 'write {"run_s": 3600}')
        yield line, values


def _csv(text: str) -> Iterator[tuple[int, dict[str, Any]]]:
    reader = csv.DictReader(io.StringIO(text))
    unknown = set(reader.fieldnames or ()) - set(ListedJob.model_fields)
    if unknown or "run_s" not in (reader.fieldnames or ()):
        wrong = f"has the unknown columns {', '.join(sorted(unknown))}" if unknown else "has no column run_s"
        raise InvalidInput.of("jobs line 1", "", wrong, f"use these: {','.join(ListedJob.model_fields)}")
    for row in reader:
        if None in row or None in row.values():
            remedy = "write as many values as the header has columns"
            raise InvalidInput.of(f"jobs line {reader.line_num}", "", "has too many or too few values", remedy)
        yield reader.line_num, {name: value for name, value in row.items() if value != ""}
