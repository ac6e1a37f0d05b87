"""Carries out the plan of a pull."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

from aitrain.domain.errors import StepCancelled
from workers.datasync.cache import Pool, copy_file
from workers.datasync.crew import Crew, Work
from workers.datasync.faults import data_errors
from workers.datasync.large import LargeDownload, part_bytes, ranges
from workers.datasync.layer import Layer
from workers.datasync.local import SWAPPED, own, unlink_inside
from workers.datasync.manifest import Manifest
from workers.datasync.plan import Action, Do, LocalFile, Record, RemoteObject
from workers.datasync.progress import Progress
from workers.datasync.retries import patiently
from workers.datasync.room import Promise
from workers.datasync.s3 import S3Container
from workers.datasync.small import SmallObjects

log = logging.getLogger(__name__)

# For one large object on its way to the cache; several may be.
POOL_THREADS = 4


class Pull:
    """Brings objects of a container to the disk of a volume."""

    def __init__(
        self,
        subject: str,
        container: S3Container,
        prefix: str,
        layer: Layer,
        manifest: Manifest,
        progress: Progress,
        *,
        room: Promise,
        pool: Pool | None,
        shared: bool,
        running: bool,
        part: int,
        checkpoint: Callable[[], None],
    ) -> None:
        """subject: what is copied, for people; pool: of the cache, if it is used; shared: the job cannot write, so that
        its files may be the cache's own; running: the job is at work there; part: bytes of the parts that larger
        objects are fetched in.
        """
        self._subject, self._container, self._prefix = subject, container, prefix
        self._layer, self._manifest, self._progress, self._room = layer, manifest, progress, room
        self._pool, self._shared, self._running = pool, shared, running
        self._part, self._checkpoint = part, checkpoint
        self.blocked: list[str] = []
        self._small = SmallObjects(container, prefix)
        self._open: set[LargeDownload] = set()
        self._lock = threading.Lock()

    def run(self, plan: Iterator[Action]) -> None:
        """Copies, and raises the first failure."""
        try:
            Crew(first_failure_ends=True).run(self._works(plan))
        finally:
            for download in self._open:
                download.close()
            self._progress.tell()

    def _works(self, plan: Iterator[Action]) -> Iterator[Work]:
        for action in plan:
            if action.do is Do.DROP:
                unlink_inside(self._layer.root, action.path)
                self._manifest.forget(action.path)
            elif action.remote is None:
                continue
            elif action.do is Do.MAKE_DIRECTORY:
                self._layer.make_directory(action.path)
                self._manifest.record(Record(action.path, 0, 0, 0, action.remote.etag))
            elif action.do is Do.DOWNLOAD and self._pool is not None:
                yield self._guarded(action.path, partial(self._from_pool, self._pool, action.remote))
            elif action.do is Do.DOWNLOAD and action.remote.size > self._part:
                yield from self._in_parts(action.remote)
            elif action.do is Do.DOWNLOAD:
                yield self._guarded(action.path, partial(self._whole, action.remote))

    def _guarded(self, path: str, copy: Work) -> Work:
        def wrapped() -> None:
            with data_errors(self._subject):
                try:
                    copy()
                except OSError as error:
                    if not (self._running and error.errno in SWAPPED):
                        raise
                    # The job put something else there, or on the way: its own doing stands.
                    self.blocked.append(path)
                    self._progress.skipped()

        def work() -> None:
            self._checkpoint()
            try:
                patiently(wrapped, self._checkpoint)
            except StepCancelled:
                raise
            except Exception:
                self._progress.failed()
                raise

        return work

    def _whole(self, source: RemoteObject) -> None:
        content = self._small.get(source)
        # The last point at which a copy that was given up may notice it, before the file stands in the volume.
        self._checkpoint()
        self._laid(source, self._layer.lay(source.path, content))
        self._progress.copied(size=source.size)

    def _laid(self, source: RemoteObject, file: LocalFile, *, linked: bool = False, taken: bool = False) -> None:
        # A link's ctime changes with every other link that is made to the file.
        ctime_ns = 0 if linked else file.ctime_ns
        self._manifest.record(Record(source.path, file.size, file.mtime_ns, ctime_ns, source.etag))
        if not taken:
            self._room.taken(source.size)

    def _in_parts(self, source: RemoteObject) -> Iterator[Work]:
        known = self._manifest.unfinished(source.path)
        part = part_bytes(source.size, self._part)
        facts = {
            "etag": source.etag,
            "part": str(part),
            "name": known.get("name") or self._layer.new_part().name,
            "done": "0",
        }
        file = self._layer.parts / facts["name"]
        if known.get("etag") == source.etag and known.get("part") == str(part) and file.exists():
            facts["done"] = known["done"]
        download = LargeDownload(self._container, self._prefix, source, file, self._checkpoint)
        self._open.add(download)
        self._manifest.set_unfinished(source.path, facts)
        done = int(facts["done"], 16)
        todo = [piece for piece in ranges(source.size, part) if not done >> piece[0] & 1]
        pending = {number for number, _, _ in todo}

        def fetch(number: int, start: int, size: int) -> None:
            nonlocal done
            download.fetch(start, size)
            with self._lock:
                done |= 1 << number
                self._manifest.set_unfinished(source.path, facts | {"done": f"{done:x}"})
                pending.discard(number)
                last = not pending
            self._progress.moved(size)
            self._room.taken(size)
            if last:
                self._finish(source, download, told=True)

        for piece in todo:
            yield self._guarded(source.path, partial(fetch, *piece))
        if not todo:
            yield self._guarded(source.path, partial(self._finish, source, download, told=False))

    def _finish(self, source: RemoteObject, download: LargeDownload, *, told: bool) -> None:
        try:
            download.verify()
            own(download.path, self._layer.owner)
        except BaseException:
            self._manifest.set_unfinished(source.path, {})
            raise
        self._checkpoint()
        file = self._layer.move_in(download.path, source.path)
        self._laid(source, file, taken=True)
        self._manifest.set_unfinished(source.path, {})
        with self._lock:
            self._open.discard(download)
        download.close()
        self._progress.copied(size=0 if told else source.size)

    def _from_pool(self, pool: Pool, source: RemoteObject) -> None:
        with pool.filling(source, self._checkpoint) as part:
            cached = part is None
            if part is not None:
                self._fill(source, part)
        self._checkpoint()
        if self._shared:
            file = self._layer.link(pool.path(source), source.path)
        else:
            own_copy = self._layer.new_part()
            try:
                copy_file(pool.path(source), own_copy, self._checkpoint)
                own(own_copy, self._layer.owner)
                file = self._layer.move_in(own_copy, source.path)
            finally:
                own_copy.unlink(missing_ok=True)
        pool.touch(source)
        self._laid(source, file, linked=self._shared)
        self._progress.copied(size=source.size, cached=cached)

    def _fill(self, source: RemoteObject, part: Path) -> None:
        if source.size <= self._part:
            part.write_bytes(self._small.get(source))
        else:
            download = LargeDownload(self._container, self._prefix, source, part, self._checkpoint)
            try:
                pieces = ranges(source.size, part_bytes(source.size, self._part))
                fetches = (partial(download.fetch, start, size) for _, start, size in pieces)
                Crew(first_failure_ends=True, threads=POOL_THREADS).run(fetches)
                download.verify()
            finally:
                download.close()
        part.chmod(0o644)
        own(part, self._layer.owner)
