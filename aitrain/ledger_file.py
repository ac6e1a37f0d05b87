"""A month of a project's ledger as a file: JSON, one record a line, all ASCII.

    {"kind":"ledger", "format":1, project, month, currency}
    {"kind":"job", job, name, user, labels}           one for each billed job
    {"kind":"line", job, attempt, first, minutes, ...}  one for each line of the ledger
    {"kind":"end", jobs, lines, minutes, unit_minutes, price_minutes, sha256}

The records between the first and the last are sorted as text, so that the same ledger is always the same file, and none
can stand there twice unnoticed. sha256: of all bytes before the last line.
"""

from __future__ import annotations

import hashlib
import heapq
import json
import os
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from decimal import Decimal
from itertools import chain, islice
from pathlib import Path
from typing import Any

from aitrain.domain.billforms import decimal_text, job_of, job_record, line_of, line_record
from aitrain.domain.billing import BilledJob, LedgerLine
from aitrain.domain.errors import InvalidInput
from aitrain.domain.money import EXACT

FORMAT = 1
# Records that are sorted in memory at once; what is more is sorted in files beside the one that is written.
RUN_RECORDS = 100_000
BATCH_RECORDS = 1_000


@dataclass(frozen=True)
class Head:
    """Of which ledger a file is."""

    project: str
    month: str
    currency: str

    @property
    def text(self) -> str:
        """Its line in the file."""
        return _text({"kind": "ledger", "format": FORMAT, **asdict(self)})


@dataclass
class LedgerSums:
    """What a file holds, added up. price_minutes: see domain.money; sha256: of its bytes before the last line."""

    jobs: int = 0
    lines: int = 0
    minutes: int = 0
    unit_minutes: int = 0
    price_minutes: Decimal = Decimal(0)
    sha256: str = ""

    def add(self, line: LedgerLine) -> None:
        """Counts a line."""
        unit_minutes = line.minutes * line.terms.units
        self.lines += 1
        self.minutes += line.minutes
        self.unit_minutes += unit_minutes
        self.price_minutes = EXACT.add(self.price_minutes, line.price_minutes)

    @property
    def text(self) -> str:
        """Their line in the file."""
        return _text({"kind": "end", **asdict(self), "price_minutes": decimal_text(self.price_minutes)})


def write(path: Path, head: Head, lines: Iterable[LedgerLine], jobs: Iterable[tuple[str, BilledJob]]) -> LedgerSums:
    """Writes a file, whole or not at all.

    Raises InvalidInput if there is one already, or if it cannot be written.
    """
    sums = LedgerSums()
    try:
        if path.exists():
            raise _exists(path)
        with tempfile.NamedTemporaryFile("w", dir=path.parent, encoding="ascii", newline="\n") as part:
            digest = hashlib.sha256()
            for text in chain([head.text], _sorted(_records(lines, jobs, sums), path.parent)):
                part.write(text)
                digest.update(text.encode())
            sums.sha256 = digest.hexdigest()
            part.write(sums.text)
            part.flush()
            os.fsync(part.fileno())
            # Unlike a rename, a link never takes the place of a file that has come to be meanwhile.
            os.link(part.name, path)
        _sync(path.parent)
    except FileExistsError:
        raise _exists(path) from None
    except OSError as error:
        raise InvalidInput.of(
            "file", path, f"cannot be written ({error})", "name a file in a directory of yours"
        ) from error
    return sums


def _records(lines: Iterable[LedgerLine], jobs: Iterable[tuple[str, BilledJob]], sums: LedgerSums) -> Iterator[str]:
    for job_id, job in jobs:
        sums.jobs += 1
        yield _text(job_record(job_id, job))
    for line in lines:
        sums.add(line)
        yield _text(line_record(line))


def _sorted(records: Iterator[str], directory: Path) -> Iterator[str]:
    """The records in order, with no more than RUN_RECORDS of them in memory."""
    with ExitStack() as stack:
        runs = []
        while run := sorted(islice(records, RUN_RECORDS)):
            file = stack.enter_context(tempfile.TemporaryFile("w+", dir=directory, encoding="ascii", newline="\n"))
            file.writelines(run)
            file.seek(0)
            runs.append(file)
        yield from heapq.merge(*runs)


class Reader:
    """Reads a file and holds it against itself: its order, its figures and its digest.

    After the last batch `sums` says what it holds. Until then nothing that was read can be relied on.
    """

    def __init__(self, path: Path, head: Head) -> None:
        """head: of the ledger that it has to be of."""
        self.path, self.head = path, head
        self.sums = LedgerSums()

    def batches(self) -> Iterator[tuple[list[LedgerLine], dict[str, BilledJob]]]:
        """Lines and jobs, some at a time.

        Raises InvalidInput if the file cannot be read or is not whole.
        """
        try:
            with self.path.open("rb") as file:
                records = self._records(file)
                while some := list(islice(records, BATCH_RECORDS)):
                    lines, jobs = self._read(some)
                    self.sums.jobs += len(jobs)
                    for line in lines:
                        self.sums.add(line)
                    yield lines, jobs
        except OSError as error:
            raise InvalidInput.of("export", self.path, f"cannot be read ({error})", "name the exported file") from error
        except (ValueError, KeyError, TypeError, ArithmeticError, RecursionError) as error:
            if isinstance(error, InvalidInput):
                raise
            raise self.broken(f"cannot be understood ({error!r})") from error
        if self._end != self.sums.text:
            raise self.broken("is not whole: its last line is not what its records add up to")

    def _read(self, texts: Sequence[bytes]) -> tuple[list[LedgerLine], dict[str, BilledJob]]:
        lines, jobs = [], dict[str, BilledJob]()
        for text in texts:
            record = json.loads(text)
            if record["kind"] == "line":
                lines.append(line := line_of(record, self.head.project))
                again = line_record(line)
            elif record["kind"] == "job":
                jobs[record["job"]] = job = job_of(record)
                again = job_record(record["job"], job)
            else:
                raise self.broken("has records that are neither lines nor jobs")
            # Of two ways to write one record down, the order would not tell that it stands there twice.
            if _text(again).encode() != text:
                raise self.broken(f"has a record that no export writes so: {text.decode('ascii').strip()}")
        return lines, jobs

    def broken(self, problem: str) -> InvalidInput:
        """An error that tells what is wrong with the file."""
        return InvalidInput.of("export", self.path, problem, "export the month again, to another file")

    def _records(self, file: Iterable[bytes]) -> Iterator[bytes]:
        """What stands between the first and the last line, which is kept."""
        digest, before = hashlib.sha256(), b""
        self._end = ""
        for number, text in enumerate(file):
            if self._end:
                raise self.broken("goes on after its end")
            if number == 0:
                if text.decode("ascii") != self.head.text:
                    raise self.broken(f"is not the ledger of {self.head.project} in {self.head.month}")
            elif text.startswith(b'{"kind":"end"'):
                self._end, self.sums.sha256 = text.decode("ascii"), digest.hexdigest()
                continue
            else:
                if text <= before:
                    raise self.broken(f"is out of order at line {number + 1}")
                before = text
                yield text
            digest.update(text)


def _sync(directory: Path) -> None:
    """Makes the name of a new file outlast a crash of the machine."""
    handle = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _text(record: dict[str, Any]) -> str:
    return json.dumps(record, separators=(",", ":")) + "\n"


def _exists(path: Path) -> InvalidInput:
    return InvalidInput.of("file", path, "is there already", "name a file that is not; exports are never written over")
