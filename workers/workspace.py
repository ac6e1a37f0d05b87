"""An attempt's place on its host's disk: its volumes, and whether anything in them still has to be pushed."""

from __future__ import annotations

import logging
import subprocess
from collections.abc import Collection, Iterator
from pathlib import Path

log = logging.getLogger(__name__)

SETTLED = "settled"


class Workspace:
    """data_dir/jobs/JOB/FENCE/volumes/NUMBER. The fence keeps an attempt from finding another one's files.

    A workspace is removed only once it is settled: its results are pushed, or it never had any. What could not be
    pushed stays.
    """

    def __init__(self, data_dir: Path, job_id: str, fence: str) -> None:
        self._path = data_dir / "jobs" / job_id / fence

    def volume(self, number: int) -> Path:
        """The directory of a volume, by its place in the spec."""
        return self._path / "volumes" / str(number)

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
