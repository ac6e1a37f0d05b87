"""An attempt's place on its host's disk: its volumes, and whether anything in them still has to be pushed."""

from __future__ import annotations

import json
import logging
import subprocess
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from aitrain.domain.job import Job
from aitrain.domain.states import EndCause, State
from workers.control import Control

log = logging.getLogger(__name__)

SETTLED = "settled"
FENCED = "fenced"
ORDERED = "ordered"
RECEIPTS = "pushed"
UNCLAIMED = "unclaimed"
BEGAN = "began"
# As old as a backup may be from which a store is restored, without what has ended since running again.
RECEIPT_SECONDS = 7 * 86_400


@dataclass(frozen=True)
class Ended:
    """How an attempt ended, as its host remembers it. Fields as of domain.job.Job."""

    cause: EndCause | None
    message: str
    exit_code: int | None
    started_ms: int | None
    finished_ms: int | None
    ran_ms: int

    @classmethod
    def of(cls, job: Job) -> Ended:
        """As the job store has it."""
        return cls(job.end_cause, job.message, job.exit_code, job.started_ms, job.finished_ms, job.ran_ms)


class Workspace:
    """data_dir/jobs/JOB/FENCE/volumes/NUMBER, and control beside volumes.

    The fence keeps an attempt from finding another one's files.

    A workspace is removed only once it is settled: its results are pushed, or it never had any. What could not be
    pushed stays.
    """

    def __init__(self, data_dir: Path, job_id: str, fence: str) -> None:
        self._path = data_dir / "jobs" / job_id / fence
        self._receipt = data_dir / RECEIPTS / f"{job_id}.{fence}"
        self.job_id, self.fence = job_id, fence

    def volume(self, number: int) -> Path:
        """The directory of a volume, by its place in the spec."""
        return self._path / "volumes" / str(number)

    @property
    def exists(self) -> bool:
        """Whether anything of it is on the disk."""
        return self._path.exists()

    @property
    def control(self) -> Control:
        """What aitrain tells the job, and what the job asks."""
        return Control(self._path)

    def mark_fenced(self) -> None:
        """Records that this host stops its container now because it cannot reach the store."""
        self._mark(FENCED)

    def mark_ordered(self, cause: EndCause) -> None:
        """Records that its container is stopped by order: a store that lost its last second has forgotten that."""
        if not self.ordered:
            self._mark(ORDERED, cause)

    @property
    def ordered(self) -> EndCause | None:
        """Why its container was stopped by order, if it was."""
        with suppress(OSError, ValueError):
            return EndCause((self._path / ORDERED).read_text())
        return None

    @property
    def ordered_ms(self) -> int | None:
        """When that was recorded, in Unix ms."""
        return self._marked_ms(ORDERED)

    @property
    def fenced_ms(self) -> int | None:
        """When this host last stopped its container to be safe, in Unix ms; None if it did not."""
        return self._marked_ms(FENCED)

    @property
    def began(self) -> str:
        """When its container began, as it was noted; empty if it was not."""
        with suppress(OSError):
            return (self._path / BEGAN).read_text()
        return ""

    def note_began(self, text: str) -> None:
        """Notes that. Raises OSError."""
        self._mark(BEGAN, text)

    @property
    def unclaimed_s(self) -> float:
        """For how many seconds its job has been seen to be unknown to the store, as far as that was noted."""
        with suppress(OSError, ValueError):
            return float((self._path / UNCLAIMED).read_text())
        return 0.0

    def note_unclaimed(self, seconds: float) -> None:
        """Notes that."""
        try:
            self._mark(UNCLAIMED, f"{seconds:.0f}")
        except OSError as error:
            # What is not noted is counted anew, and what lies here stays the longer.
            log.warning("%s could not be noted: %s", self._path / UNCLAIMED, error)

    def note_claimed(self) -> None:
        """Takes that back: the store knows its job after all."""
        (self._path / UNCLAIMED).unlink(missing_ok=True)

    @property
    def size(self) -> int:
        """How many bytes it takes on the disk."""
        # du, for the reason that rm is used below: it copes with whatever a job leaves behind.
        done = subprocess.run(
            ["du", "-s", "--block-size=1", "--one-file-system", "--", str(self._path)], check=False,
            capture_output=True, text=True,
        )  # fmt: skip
        return int(done.stdout.split()[0]) if done.stdout else 0

    def mark_pushed(self, ended: Ended) -> None:
        """Records that all its results are pushed, and how the attempt ended. Outlives the workspace for a while."""
        part = self._receipt.with_name(f".{self._receipt.name}")
        try:
            self._receipt.parent.mkdir(exist_ok=True)
            part.write_text(json.dumps(asdict(ended)))
            part.rename(self._receipt)
        except OSError as error:
            # It only matters to a store that forgets; a full disk must not keep the job from ending.
            log.warning("%s could not be written: %s", self._receipt, error)

    @property
    def ended(self) -> Ended | None:
        """How the attempt ended, if its results were pushed lately; None, too, if an older version noted the push."""
        try:
            return Ended(**json.loads(self._receipt.read_text()))
        except (OSError, ValueError, TypeError):
            return None

    @property
    def pushed(self) -> bool:
        """Whether all its results were pushed lately."""
        return self._receipt.exists()

    def _mark(self, name: str, text: str = "") -> None:
        self._path.mkdir(parents=True, exist_ok=True)
        (self._path / name).write_text(text)

    def _marked_ms(self, name: str) -> int | None:
        with suppress(OSError):
            return (self._path / name).stat().st_mtime_ns // 10**6
        return None

    def settle(self) -> None:
        """Records that nothing in it is needed any more. Called before the job's last move, so that a crash between
        that move and the removal leaves a workspace that the agent may remove.
        """
        try:
            if self._path.exists():
                (self._path / SETTLED).touch()
        except OSError as error:
            # A full or read-only disk must not keep the job from ending; its files stay.
            log.warning("%s could not be marked for removal: %s", self._path, error)

    def unsettle(self) -> None:
        """Takes the mark back: the job is not over after all, and what it wrote has to be pushed."""
        (self._path / SETTLED).unlink(missing_ok=True)

    def remove(self) -> None:
        """Removes it if it is settled. Does nothing if it is gone."""
        if not (self._path / SETTLED).exists():
            return
        # The mark goes last, so that a removal that was cut short is taken up again.
        if _remove(self._path / "volumes") and _remove(self._path):
            _remove_if_empty(self._path.parent)


def settled_workspaces(data_dir: Path) -> Iterator[Workspace]:
    """Workspaces that are to be removed."""
    for mark in (data_dir / "jobs").glob(f"*/*/{SETTLED}"):
        yield Workspace(data_dir, mark.parent.parent.name, mark.parent.name)


def unsettled_attempts(data_dir: Path) -> Iterator[Workspace]:
    """The workspace of every attempt that may still have something to push."""
    for path in (data_dir / "jobs").glob("*/*"):
        if not (path / SETTLED).exists():
            yield Workspace(data_dir, path.parent.name, path.name)


def remove_old_receipts(data_dir: Path) -> None:
    """Removes the records of pushes that no store can have forgotten any more."""
    for receipt in (data_dir / RECEIPTS).glob("*"):
        with suppress(OSError):
            if time.time() - receipt.stat().st_mtime > RECEIPT_SECONDS:
                receipt.unlink()


def superseded(job: Job, fence: str) -> bool:
    """Whether nothing of this attempt of a job is needed any more: nothing of it ever ran, or another one ran to an end
    and pushed its results.
    """
    if fence == job.fence:
        return job.ended and job.started_ms is None and not job.starting
    number = int(fence.partition(".")[0])
    nothing_ran = any(
        end.attempt == number and end.started_ms is None and not end.starting for end in job.earlier_attempts
    )
    made_good = job.started_ms is not None and job.state in (State.DONE, State.FAILED, State.INTERRUPTED)
    return nothing_ran or made_good


def _remove(path: Path) -> bool:
    # rm, because it copes with whatever a job leaves behind: Python's own rmtree ends in a tree a thousand levels deep.
    done = subprocess.run(
        ["rm", "-rf", "--one-file-system", "--", str(path)], check=False, capture_output=True, text=True
    )
    if done.returncode:
        log.warning("%s could not be removed: %s", path, done.stderr.strip()[:500])
    return done.returncode == 0


def _remove_if_empty(path: Path) -> None:
    try:
        path.rmdir()
    except OSError:
        return  # another attempt's files, kept because they could not be pushed
