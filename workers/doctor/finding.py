"""What a check found. Pure, like all that judges here: facts come from the rooms that own the connections."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

MIB, GIB = 1024**2, 1024**3


class Verdict(StrEnum):
    """OK: as it should be; WARN: jobs run, and something may go wrong later; FAIL: jobs will fail or be lost."""

    OK = "OK"
    WARN = "WARN"
    FAIL = "FAIL"


@dataclass(frozen=True)
class Finding:
    """One check's outcome. check: a dotted name; found: the figures; remedy: what to do, "" if all is well."""

    check: str
    verdict: Verdict
    found: str
    remedy: str = ""


def ok(check: str, found: str) -> Finding:
    """As it should be."""
    return Finding(check, Verdict.OK, found)


def warn(check: str, found: str, remedy: str) -> Finding:
    """Jobs run; something may go wrong later."""
    return Finding(check, Verdict.WARN, found, remedy)


def fail(check: str, found: str, remedy: str) -> Finding:
    """Jobs will fail, or be lost."""
    return Finding(check, Verdict.FAIL, found, remedy)


def worst(findings: Iterable[Finding]) -> Verdict:
    """The gravest verdict; OK if there is none."""
    return max((finding.verdict for finding in findings), key=list(Verdict).index, default=Verdict.OK)


def size(count: float) -> str:
    """Bytes for people."""
    return f"{count / GIB:.1f} GiB" if count >= GIB else f"{count / MIB:.0f} MiB"
