"""Brings a volume and its data store together: pull before the job runs, push after it ended, either while it runs."""

from __future__ import annotations

import fcntl
import logging
import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from aitrain.domain.errors import JobFault, PlatformFault, UserFault
from aitrain.domain.job import Direction, VolumeProgress
from aitrain.domain.listing import list_objects
from aitrain.domain.states import EndCause, InfoCode
from aitrain.domain.volume import Permission, Volume
from aitrain.settings import DataStore
from workers.datasync.actions import PASSIVE, Action, Do, Tally
from workers.datasync.allowance import Allowance
from workers.datasync.cache import Cache, Pool
from workers.datasync.entries import Record
from workers.datasync.faults import data_errors, passes_by_itself
from workers.datasync.index import Index
from workers.datasync.layer import Layer
from workers.datasync.local import scan
from workers.datasync.manifest import Manifest
from workers.datasync.plan import plan_pull, plan_push
from workers.datasync.progress import Progress
from workers.datasync.pull import Pull
from workers.datasync.push import Push
from workers.datasync.room import Promise, Room
from workers.datasync.s3 import S3Container, altered

log = logging.getLogger(__name__)

PART_BYTES = 8 * 1024**2
# What a small file takes on the disk beside its content, about.
OVERHEAD_BYTES = 4096
LOCK_POLL_SECONDS = 0.1
PREVIEW_LINES = 1000


@dataclass(frozen=True)
class Preview:
    """What a copy would do: in numbers, and the first actions a line each."""

    summary: str
    lines: tuple[str, ...]


@dataclass(frozen=True)
class Disk:
    """What the volumes of a host share: the room on its disk, its cache, and what projects may have there.

    allowance: None where no project has a quota of cached bytes.
    """

    room: Room
    cache: Cache
    allowance: Allowance | None = None


class VolumeSync:
    """One volume of one attempt on this host."""

    def __init__(
        self,
        volume: Volume,
        stores: Mapping[str, DataStore],
        directory: Path,
        *,
        owner: tuple[int, int],
        checkpoint: Callable[[], None],
        report: Callable[[VolumeProgress], None],
        project: str = "default",
        disk: Disk | None = None,
        part: int = PART_BYTES,
    ) -> None:
        """stores: by alias; directory: of this volume, mounted is its part "data"; owner: uid and gid of the job;
        checkpoint: called often, what it raises ends the copy; report: called at most once a second with the progress;
        project: whose cache it may use; disk: None leaves room and cache out; part: bytes of a large object's parts.
        """
        self._volume, self._stores, self._directory, self._owner = volume, stores, directory, owner
        self._checkpoint, self._report = checkpoint, report
        self._project, self._disk, self._part = project, disk, part

    @property
    def mounted(self) -> Path:
        """The directory that the job sees."""
        return self._directory / "data"

    def check(self) -> None:
        """Checks that the data store can be used, and that a container that is only read exists.

        Raises UserFault and PlatformFault. Run for every volume before anything is copied or made.
        """
        with data_errors(str(self._volume)):
            self._container().check(self._volume.prefix, may_be_missing=self._volume.permission.writable)

    def pull(self, *, running: bool = False) -> None:
        """Copies what the store holds under the prefix into the volume.

        What an earlier try laid down whole is kept. running: the job is at work there; what it changed is left alone.
        Raises UserFault and PlatformFault.
        """
        with self._alone(), self._manifest() as manifest, Index() as index:
            container = self._container()
            if self._volume.permission.writable:
                container.ensure(self._volume.prefix, self._checkpoint)
            if not running:
                manifest.begin()
            with Layer(self.mounted, self._directory / "parts", self._owner, running=running) as layer:
                layer.clear_parts(keep={facts.get("name", "") for facts in manifest.all_unfinished()})
                self._look(index, manifest, container)

                def plan() -> Iterator[Action]:
                    return plan_pull(index.remote(), index.seen(), index.local(), running=running)

                tally = self._tally(plan())
                self._refuse_clashes(tally)
                with self._pool(plan) as pool, self._room(plan, tally, pool, layer) as room:
                    progress = Progress(Direction.PULL, tally, self._report)
                    pull = Pull(
                        str(self._volume), container, self._volume.prefix, layer, manifest, progress, room=room,
                        pool=pool, shared=self._volume.permission is Permission.RO, running=running,
 part=self._part,
                        checkpoint=self._checkpoint,
                    )  # fmt: skip
                    pull.run(plan())
                    self._note_cache(progress.now)
                self._tell("were left out: the job has something else there", pull.blocked)
                self._check_complete(progress)
            if not running:
                manifest.completed()

    def push(self, *, running: bool = False) -> None:
        """Copies what is new or changed in the volume to the store, and then, for rwd, deletes what the job deleted.

        What an earlier try pushed is not pushed again. One file that cannot be pushed does not keep the others from
        it, but then nothing is deleted. running: the job is at work there; nothing is deleted yet. Raises UserFault
        and PlatformFault.
        """
        volume = self._volume
        with self._alone(), self._manifest() as manifest, Index() as index:
            self._look(index, manifest, None)
            rwd = volume.permission is Permission.RWD and not running

            def plan(deletes: bool = rwd and manifest.complete) -> Iterator[Action]:
                return plan_push(
                    index.seen(), index.local(), prefix=volume.prefix, deletes=deletes, same_boot=manifest.same_boot
                )

            tally = self._tally(plan())
            withheld = Tally.of(plan(rwd))[Do.DELETE] if rwd and not manifest.complete else 0
            progress = Progress(Direction.PUSH, tally, self._report, withheld=withheld)
            if withheld:
                log.warning("%s: %d objects are not deleted: the host may have lost files of the job", volume, withheld)
            if tally[Do.UPLOAD] or tally[Do.DELETE]:
                push = Push(
                    str(volume), self._container(), volume.prefix, self.mounted, manifest, progress, running=running,
                    clashes=tally.clashes, part=self._part, checkpoint=self._checkpoint,
                )  # fmt: skip
                push.upload(plan())
                self._check_complete(progress)
                self._tell("became links or special files", push.swapped)
                self._tell("were written to while they were copied", push.unsettled)
                if not tally.unfit and not push.swapped:
                    push.delete(plan())
        if tally.unfit:
            raise PlatformFault(
                EndCause.DATA_FAULT,
                InfoCode.JOB_SYNC_FAILED,
                f"{volume}: {tally.unfit} files cannot be pushed, among them {self._unfit(tally)}. The others "
                "are pushed; these stay on the host",
            )

    def _unfit(self, tally: Tally) -> str:
        if tally[Do.UNFIT]:
            return tally.names[Do.UNFIT][0]
        path, beneath = next(iter(tally.clashes.items()))
        return f"{path!r} (the data store has an object {self._volume.prefix + beneath!r} beneath it)"

    def pulled(self, most: int) -> dict[str, Any] | None:
        """The objects that the volume was filled with, before the job ran; `most` of them one by one.

        None if that is not known (any more). Raises OSError and sqlite3.Error.
        """
        with self._known() as manifest:
            return None if manifest is None else self._listed(manifest.records(), most)

    def pushed(self, most: int) -> dict[str, Any] | None:
        """The objects that were pushed from the volume, and how many were deleted. Else as pulled."""
        with self._known() as manifest:
            if manifest is None:
                return None
            return self._listed(manifest.pushed(), most) | {"deleted": manifest.deleted}

    @contextmanager
    def _known(self) -> Iterator[Manifest | None]:
        if not self._manifest_file.exists():
            yield None
            return
        with self._manifest() as manifest:
            yield manifest

    def _listed(self, records: Iterator[Record], most: int) -> dict[str, Any]:
        prefix = self._volume.prefix
        return list_objects(((prefix + one.path, one.size, one.etag) for one in records), most)

    def preview(self, direction: Direction, *, running: bool = False) -> Preview:
        """What pull or push would do now. Changes nothing.

        Raises UserFault and PlatformFault.
        """
        volume = self._volume
        with self._alone(), self._manifest() as manifest, Index() as index:
            container = self._container() if direction is Direction.PULL else None
            self._look(index, manifest, container)
            deletes = volume.permission is Permission.RWD and not running and manifest.complete

            def plan() -> Iterator[Action]:
                if direction is Direction.PULL:
                    return plan_pull(index.remote(), index.seen(), index.local(), running=running)
                return plan_push(
                    index.seen(), index.local(), prefix=volume.prefix, deletes=deletes, same_boot=manifest.same_boot
                )

            shown = (str(action) for action in plan() if action.do is not Do.KEEP)
            return Preview(str(Tally.of(plan())), tuple(islice(shown, PREVIEW_LINES)))

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Keeps other copies of this volume away: one that is still at it ends at its next checkpoint."""
        self._checkpoint()
        with data_errors(str(self._volume)):
            self._directory.mkdir(parents=True, exist_ok=True)
            descriptor = os.open(self._directory, os.O_RDONLY | os.O_DIRECTORY)
            try:
                while not _lock(descriptor):
                    self._checkpoint()
                    time.sleep(LOCK_POLL_SECONDS)
                self._checkpoint()
                yield
            finally:
                os.close(descriptor)

    @property
    def _manifest_file(self) -> Path:
        return self._directory / "manifest.db"

    def _manifest(self) -> Manifest:
        return Manifest(self._manifest_file)

    def _look(self, index: Index, manifest: Manifest, container: S3Container | None) -> None:
        """Lists both sides, and what is known of them."""
        index.add_seen(manifest.records())
        if container is None and not self.mounted.is_dir():
            # Nothing there would mean that the job removed all of it.
            raise PlatformFault(
                EndCause.DATA_FAULT,
                InfoCode.JOB_SYNC_FAILED,
                f"{self._volume}: its files are not on this host any more",
            )
        if self.mounted.is_dir():
            index.add_local(scan(self.mounted))
        if container is None:
            return
        for page in container.listing(self._volume.prefix):
            self._checkpoint()
            if page and not index.add_remote(page):
                raise altered(self._volume.source, "the data store lists the same objects again and again")

    def _tally(self, plan: Iterator[Action]) -> Tally:
        tally = Tally.of(plan)
        for do in PASSIVE | {Do.UNFIT}:
            if do in tally.names:
                log.warning("%s: %d paths are %s: %s", self._volume, tally[do], do, ", ".join(tally.names[do]))
        self._checkpoint()
        return tally

    def _refuse_clashes(self, tally: Tally) -> None:
        for pair in tally.clashes.items():
            one, other = (self._volume.prefix + path for path in pair)
            raise UserFault(
                EndCause.DATA_REFUSED,
                InfoCode.DATASYNC_PROGRESS_FAILED_UNKNOWN_ERROR,
                f"{self._volume}: {one!r} is both an object and the parent of {other!r}; rename one of them",
            )

    def _check_complete(self, progress: Progress) -> None:
        if not progress.complete:
            raise altered(str(self._volume), f"only {progress.now.processed} of {progress.now.total} files were copied")

    def _tell(self, what: str, paths: list[str]) -> None:
        if paths:
            log.warning("%s: %d files %s: %s", self._volume, len(paths), what, paths[:10])

    @contextmanager
    def _room(
        self, plan: Callable[[], Iterator[Action]], tally: Tally, pool: Pool | None, layer: Layer
    ) -> Iterator[Promise]:
        """Room for what will be copied; what the cache holds already takes none, if the job may only read it, nor do
        parts that are there.
        """
        if self._disk is None:
            yield Promise(0)
            return
        needed = tally.bytes + tally[Do.DOWNLOAD] * OVERHEAD_BYTES
        if pool is not None:
            downloads = (one.remote for one in plan() if one.do is Do.DOWNLOAD and one.remote is not None)
            # Touched, so that making room for this copy does not take what it counts on.
            held = sum(remote.size + OVERHEAD_BYTES for remote in downloads if pool.touch(remote))
            # A job that may write gets a copy of its own, beside the cache's.
            needed = needed - held if self._volume.permission is Permission.RO else 2 * needed - held
        needed = max(0, needed - layer.bytes_of_parts)
        with self._disk.room.promise(needed, str(self._volume)) as promise:
            yield promise

    @contextmanager
    def _pool(self, plan: Callable[[], Iterator[Action]]) -> Iterator[Pool | None]:
        """The pool of the cache, if it is used: not where the project's quota has no room for what would be added."""
        if self._disk is None or not self._volume.cache:
            yield None
            return
        pool = self._disk.cache.pool(self._project, self._volume, self._stores[self._volume.alias])

        def missing() -> int:
            downloads = (one.remote for one in plan() if one.do is Do.DOWNLOAD and one.remote is not None)
            return sum(remote.size for remote in downloads if not pool.holds(remote))

        if self._disk.allowance is None:
            yield pool
            return
        with self._disk.allowance.keep(self._project, missing) as allowed:
            if not allowed:
                log.warning("%s: project %s has no room in its quota of cached bytes", self._volume, self._project)
            yield pool if allowed else None

    def _note_cache(self, now: VolumeProgress) -> None:
        if self._disk is not None and self._volume.cache:
            self._disk.cache.note(
                self._project, hits=now.cached, misses=now.completed - now.cached, bytes_saved=now.cached_bytes
            )

    def _container(self) -> S3Container:
        store = self._stores.get(self._volume.alias)
        if store is None:
            raise UserFault(
                EndCause.DATA_REFUSED,
                InfoCode.DATASYNC_DATA_STORE_NOT_FOUND,
                f"{self._volume}: there is no data store {self._volume.alias!r}; add it with `aitrain datastore add`",
            )
        try:
            return S3Container(store, self._volume.container)
        except ValueError as error:  # as botocore calls an endpoint that is no URL
            raise UserFault(
                EndCause.DATA_REFUSED,
                InfoCode.DATASYNC_DATA_STORE_NOT_FOUND,
                f"{self._volume}: the data store {self._volume.alias!r} cannot be used: {error}; correct its endpoint",
            ) from error


def push_all(volumes: Sequence[VolumeSync]) -> None:
    """Pushes volumes one after another. One that fails does not keep the others from it.

    Of several faults one that may pass is raised: then all are tried again. Raises as push does.
    """
    faults: list[JobFault] = []
    for volume in volumes:
        try:
            volume.push()
        except JobFault as fault:
            faults.append(fault)
    if faults:
        raise max(faults, key=passes_by_itself)


def _lock(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
