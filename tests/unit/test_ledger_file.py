"""Exports of ledgers: the same ledger is the same file, and a file that was touched is no export."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from aitrain import ledger_file
from aitrain.domain.billing import BilledJob, LedgerLine, Policy, Terms
from aitrain.domain.errors import InvalidInput
from aitrain.ledger_file import Head, Reader, write

HEAD = Head("red", "2026-11", "EUR")
TERMS = Terms("red", "v100s", 2, Decimal("1.930"), "h1", Policy.PENDING)
LINES = [LedgerLine(f"job-{n % 7}", n % 3 + 1, n, n + 1, 1_793_491_200_000 + n, TERMS) for n in range(40)]
JOBS = [(f"job-{n}", BilledJob(f"name-{n}", "Ünal\n", (("team", "a"),))) for n in range(7)]


def read(path: Path, head: Head = HEAD) -> tuple[list[LedgerLine], dict[str, BilledJob], Reader]:
    reader, lines, jobs = Reader(path, head), [], {}
    for some_lines, some_jobs in reader.batches():
        lines += some_lines
        jobs |= some_jobs
    return lines, jobs, reader


def test_what_was_written_is_read(tmp_path: Path) -> None:
    sums = write(tmp_path / "a", HEAD, LINES, JOBS)
    lines, jobs, reader = read(tmp_path / "a")
    assert sorted(lines, key=lambda line: line.first) == LINES
    assert jobs == dict(JOBS)
    assert reader.sums == sums
    assert (sums.lines, sums.jobs, sums.minutes) == (40, 7, 820)
    assert sums.price_minutes == 820 * 2 * Decimal("1.93")


def test_the_same_ledger_is_the_same_file_however_it_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path / "a", HEAD, LINES, JOBS)
    monkeypatch.setattr(ledger_file, "RUN_RECORDS", 8)
    monkeypatch.setattr(ledger_file, "BATCH_RECORDS", 5)
    write(tmp_path / "b", HEAD, reversed(LINES), reversed(JOBS))
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
    assert len(read(tmp_path / "b")[0]) == 40
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a", "b"], "no files are left beside it"


def test_a_file_is_never_written_over(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("mine")
    with pytest.raises(InvalidInput, match="there already"):
        write(tmp_path / "a", HEAD, LINES, JOBS)
    assert (tmp_path / "a").read_text() == "mine"


def test_a_write_that_breaks_leaves_nothing(tmp_path: Path) -> None:
    def breaking() -> object:
        yield LINES[0]
        raise KeyError("the store went away")

    with pytest.raises(KeyError):
        write(tmp_path / "a", HEAD, breaking(), JOBS)  # type: ignore[arg-type]
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(InvalidInput, match="cannot be written"):
        write(tmp_path / "no" / "directory", HEAD, LINES, JOBS)
    with pytest.raises(InvalidInput, match="cannot be written"):
        write(tmp_path / ("x" * 300), HEAD, LINES, JOBS)


def edited(text: bytes, what: str) -> bytes:
    first, *body, last = text.splitlines(keepends=True)
    record = json.loads(body[-1])
    match what:
        case "a line is missing":
            return b"".join([first, *body[1:], last])
        case "a line stands twice":
            return b"".join([first, *body, body[-1], last])
        case "a line costs less":
            changed = json.dumps(record | {"price": "1.92"}, separators=(",", ":")).encode() + b"\n"
            return b"".join([first, *body[:-1], changed, last])
        case "two lines are swapped":
            return b"".join([first, body[1], body[0], *body[2:], last])
        case "the end is missing":
            return b"".join([first, *body])
        case "it is cut":
            return text[:-30]
        case "it goes on":
            return text + body[-1]
        case "its sum is another":
            return b"".join([first, *body, last.replace(b'"minutes":820', b'"minutes":819')])
        case "a line stands twice, in two spellings":
            # With sums, order and digest that are right, in place of another line.
            twice = body[-1].replace(b'"units":2', b'"units":"2"')
            return whole(first, sorted([*body[:-2], body[-1], twice]), last)
        case "a member stands twice":
            return whole(first, [*body[:-1], body[-1].replace(b'"units":2', b'"units":9,"units":2')], last)
        case "it has something beside":
            return whole(first, [*body[:-1], body[-1].replace(b'"units":2', b'"units":2,"note":"paid"')], last)
        case "it is deep":
            return whole(first, [b"[" * 100_000 + b"\n"], last)
        case "a record is no record":
            return b"".join([first, *body, b"null\n", last])
        case "it is of another month":
            return b"".join([first.replace(b"2026-11", b"2026-12"), *body, last])
        case _:
            return b""


def whole(first: bytes, body: list[bytes], last: bytes) -> bytes:
    """With the digest that an honest writer would have put there, and the figures of these lines."""
    end = json.loads(last)
    lines = [record for text in body if (record := _loaded(text)).get("kind") == "line"]
    end["lines"], end["minutes"] = len(lines), sum(int(record["minutes"]) for record in lines)
    end["unit_minutes"] = sum(int(record["minutes"]) * int(record["units"]) for record in lines)
    end["price_minutes"] = str(sum(int(one["minutes"]) * int(one["units"]) * Decimal(one["price"]) for one in lines))
    end["sha256"] = hashlib.sha256(first + b"".join(body)).hexdigest()
    return b"".join([first, *body, json.dumps(end, separators=(",", ":")).encode() + b"\n"])


def _loaded(text: bytes) -> dict[str, Any]:
    return {} if text.startswith(b"[") else dict(json.loads(text))


@pytest.mark.parametrize(
    "what",
    [
        "a line stands twice, in two spellings", "a member stands twice", "it has something beside", "it is deep",
        "a line is missing", "a line stands twice", "a line costs less", "two lines are swapped", "the end is missing",
        "it is cut", "it goes on", "its sum is another", "a record is no record", "it is of another month",
        "it is empty",
    ],
)  # fmt: skip
def test_a_file_that_was_touched_is_no_export(tmp_path: Path, what: str) -> None:
    write(tmp_path / "a", HEAD, LINES, JOBS)
    (tmp_path / "b").write_bytes(edited((tmp_path / "a").read_bytes(), what))
    with pytest.raises(InvalidInput):
        read(tmp_path / "b")


def test_an_export_of_another_project_is_none_of_this(tmp_path: Path) -> None:
    write(tmp_path / "a", HEAD, LINES, JOBS)
    with pytest.raises(InvalidInput, match="is not the ledger of blue in 2026-11"):
        read(tmp_path / "a", replace(HEAD, project="blue"))
    with pytest.raises(InvalidInput, match="cannot be read"):
        read(tmp_path / "c")
