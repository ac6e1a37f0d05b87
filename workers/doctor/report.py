"""Shows findings: as a table for people, as JSON for programs."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict

from rich.console import Console
from rich.table import Table
from rich.text import Text

from workers.doctor.finding import Finding, Verdict, worst

COLORS = {Verdict.OK: "green", Verdict.WARN: "yellow", Verdict.FAIL: "red"}


def show(findings: Sequence[Finding], console: Console) -> None:
    """A table of all, below it what to do about those that are not as they should be, the gravest first."""
    table = Table("check", "verdict", "found")
    for finding in findings:
        table.add_row(Text(finding.check), Text(finding.verdict, COLORS[finding.verdict]), Text(finding.found))
    console.print(table)
    for verdict in (Verdict.FAIL, Verdict.WARN):
        for finding in findings:
            if finding.verdict is verdict:
                console.print(
                    Text.assemble((verdict, COLORS[verdict]), f" {finding.check}: {finding.remedy}"), soft_wrap=True
                )
    count = Counter(finding.verdict for finding in findings)
    console.print(", ".join(f"{count[verdict]} {verdict}" for verdict in Verdict), soft_wrap=True)


def as_json(findings: Sequence[Finding]) -> str:
    """An object with the gravest verdict and every finding."""
    return json.dumps({"verdict": worst(findings), "findings": [asdict(finding) for finding in findings]}, indent=2)
