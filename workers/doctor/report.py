"""Shows findings: as a table for people, as data for programs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from workers.doctor.finding import Finding, Verdict, worst

COLORS = {Verdict.OK: "green", Verdict.WARN: "yellow", Verdict.FAIL: "red"}


def tell(findings: Sequence[Finding], console: Console) -> None:
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


def record(findings: Sequence[Finding]) -> dict[str, Any]:
    """The gravest verdict and every finding, in JSON's types."""
    told = [asdict(finding) | {"verdict": finding.verdict.value} for finding in findings]
    return {"verdict": worst(findings).value, "findings": told}
