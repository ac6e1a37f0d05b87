"""Copies that are ordered while a job runs: push_data and pull_data, and what became of them."""

from __future__ import annotations

from enum import StrEnum

from pydantic import BaseModel, ConfigDict

from aitrain.domain.errors import InvalidInput
from aitrain.domain.job import Direction, Job
from aitrain.domain.states import InfoCode
from aitrain.domain.volume import Volume


class CopyState(StrEnum):
    """How far an ordered copy is. DONE and FAILED are its ends."""

    ASKED = "ASKED"
    WORKING = "WORKING"
    DONE = "DONE"
    FAILED = "FAILED"


class DataCopy(BaseModel):
    """One order to push or pull a running job's data.

    id: of the order; fence: of the attempt it was given for; mount_path: of the one volume it is about, "" for every
    one it may be about; dry_run: it only tells what it would do; by: who ordered it; *_ms: Unix time by the store's
    clock; summary, lines: what was done, or would be; error, code: why it failed.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    id: str
    fence: str
    direction: Direction
    mount_path: str = ""
    dry_run: bool = False
    state: CopyState
    by: str = ""
    asked_ms: int
    ended_ms: int | None = None
    summary: str = ""
    lines: tuple[str, ...] = ()
    error: str = ""
    code: InfoCode | None = None

    @property
    def over(self) -> bool:
        """Nothing more comes of it."""
        return self.state in (CopyState.DONE, CopyState.FAILED)


def fits(volume: Volume, direction: Direction) -> bool:
    """Whether a volume can be copied so while its job runs."""
    return not volume.url and (direction is Direction.PULL or volume.permission.writable)


def copied_volumes(job: Job, direction: Direction, mount_path: str) -> list[int]:
    """The volumes that an order is about, by their places in the spec.

    mount_path: of one volume, "" for every one that can be copied so. Raises InvalidInput if there is none.
    """
    volumes, mount_path = job.spec.volumes, mount_path.rstrip("/") or mount_path
    if not mount_path:
        if found := [number for number, volume in enumerate(volumes) if fits(volume, direction)]:
            return found
        kind = "rw or rwd volume to push" if direction is Direction.PUSH else "volume of a data store to pull"
        raise InvalidInput.of("job_id", job.id, f"has no {kind}", "submit a job with one")
    for number, volume in enumerate(volumes):
        if volume.mount_path == mount_path:
            if fits(volume, direction):
                return [number]
            what = "a git repository, which is fetched once" if volume.url else "mounted read-only (ro)"
            remedy = "name an rw or rwd volume" if direction is Direction.PUSH else "name a volume of a data store"
            raise InvalidInput.of("mount_path", mount_path, f"is {what}; it cannot be copied by {direction}", remedy)
    mounted = ", ".join(volume.mount_path for volume in volumes) or "none"
    raise InvalidInput.of("mount_path", mount_path, "is no volume of the job", f"it has: {mounted}")
