"""An attempt's place on its host's disk: its volumes, and whether anything in them still has to be pushed."""

from __future__ import annotations

import logging
import subprocess
from collections.abc import Collection, Iterator
from pathlib import Path

from aitrain.domain.job import Job
from aitrain.domain.states import State
from workers.control import Control

log = logging.getLogger(__name__)

SETTLED = "settled"
FENCED = "fenced"


class Workspace:
    """data_dir/jobs/JOB/FENCE/volumes/NUMBER, and control beside volumes.

    The fence keeps an attempt from finding another one's files.

    A workspace is removed only once it is settled: its results are pushed, or it never had any. What could not be
    pushed stays.
    """

    def __init__(self, data_dir: Path, job_id: str, fence: str) -> None:
        self._path = data_dir / "jobs" / job_id / fence

    def volume(self, number: int) -> Path:
        """The directory of a volume, by its place in the spec."""
        return self._path / "volumes" / str(number)

    @property
    def control(self) -> Control:
        """What aitrain tells the job, and what the job asks."""
        return Control(self._path)

    def mark_fenced(self) -> None:
        """Records that this host stops its container because it cannot reach the store: its exit says nothing then."""
        self._path.mkdir(parents=True, exist_ok=True)
        (self._path / FENCED).touch()

    @property
    def fenced(self) -> bool:
        """Whether this host stopped its container to be safe."""
        return (self._path / FENCED).exists()

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


def settled_workspaces(data_dir: Path, wanted: Collection[str]) -> Iterator[Workspace]:
    """Workspaces that were to be removed and were not, but for those of the fences that are wanted."""
    for mark in (data_dir / "jobs").glob(f"*/*/{SETTLED}"):
        fence = mark.parent.name
        if fence not in wanted:
            yield Workspace(data_dir, mark.parent.parent.name, fence)


def unsettled_attempts(data_dir: Path) -> Iterator[tuple[str, str, Workspace]]:
    """Job, fence and workspace of every attempt that may still have something to push."""
    for path in (data_dir / "jobs").glob("*/*"):
        if not (path / SETTLED).exists():
            yield path.parent.name, path.name, Workspace(data_dir, path.parent.name, path.name)


def superseded(job: Job, fence: str) -> bool:
    """Whether nothing of this attempt of a job is needed any more, because of a later attempt."""
    if fence == job.fence:
        return False
    number = int(fence.partition(".")[0])
    nothing_ran = any(end.attempt == number and end.started_ms is None for end in job.earlier_attempts)
    return nothing_ran or job.state is State.DONE


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
