"""Carries out the plan of a pull."""

from __future__ import annotations

import errno
import logging
import shutil
import threading
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

from aitrain.domain.errors import PlatformFault, StepCancelled
from workers.datasync.actions import Action, Do
from workers.datasync.cache import Pool
from workers.datasync.crew import Crew, Work
from workers.datasync.entries import LocalFile, Record, RemoteObject
from workers.datasync.faults import data_errors
from workers.datasync.large import LargeDownload
from workers.datasync.layer import Layer
from workers.datasync.local import SWAPPED, own, unlink_inside
from workers.datasync.manifest import Manifest
from workers.datasync.parts import Parts
from workers.datasync.progress import Progress
from workers.datasync.retries import patiently
from workers.datasync.room import Promise
from workers.datasync.s3 import S3Container
from workers.datasync.small import SmallObjects

log = logging.getLogger(__name__)

# For one large object on its way to the cache; several may be.
POOL_THREADS = 4
# The cache may lose a file to a neighbour that needs room before it is linked.
POOL_TRIES = 5


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
        self._small = SmallObjects(container, prefix, checkpoint)
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
                self._checkpoint()
                unlink_inside(self._layer.root, action.path)
                self._manifest.forget(action.path)
            elif action.remote is None:
                continue
            elif action.do is Do.MAKE_DIRECTORY:
                self._checkpoint()
                self._make_directory(action.remote)
            elif action.do is Do.DOWNLOAD and self._pool is not None:
                yield self._guarded(action.path, partial(self._from_pool, self._pool, action.remote, action.file))
            elif action.do is Do.DOWNLOAD and action.remote.size > self._part:
                yield from self._in_parts(action.remote, action.file)
            elif action.do is Do.DOWNLOAD:
                yield self._guarded(action.path, partial(self._whole, action.remote, action.file))

    def _make_directory(self, source: RemoteObject) -> None:
        try:
            self._layer.make_directory(source.path)
        except OSError as error:
            if not (self._running and error.errno in SWAPPED):
                raise
            self.blocked.append(source.path)
            return
        self._manifest.record(Record(source.path, 0, 0, 0, source.etag))

    def _guarded(self, path: str, copy: Work, *, counts: set[str] | None = None) -> Work:
        """The work of one file, or of one part of it. counts: of files of which a part has failed; they fail once."""

        def work() -> None:
            self._checkpoint()
            try:
                patiently(lambda: self._unless_blocked(path, copy), self._checkpoint)
            except StepCancelled:
                raise
            except Exception:
                if counts is None or path not in counts:
                    self._progress.failed()
                if counts is not None:
                    counts.add(path)
                raise

        return work

    def _unless_blocked(self, path: str, copy: Work) -> None:
        with data_errors(self._subject):
            try:
                copy()
            except OSError as error:
                if not (self._running and error.errno in SWAPPED | {errno.EEXIST, errno.ENOENT}):
                    raise
                # The job put something else there, or on the way: its own doing stands.
                self.blocked.append(path)
                self._progress.skipped()

    def _whole(self, source: RemoteObject, before: LocalFile | None) -> None:
        content = self._small.get(source)
        # The last point at which a copy that was given up may notice it, before the file stands in the volume.
        self._checkpoint()
        self._laid(source, self._layer.lay(source.path, content, before))
        self._room.taken(source.size)
        self._progress.copied(size=source.size)

    def _laid(self, source: RemoteObject, file: LocalFile, *, linked: bool = False) -> None:
        # A link's ctime changes with every other link that is made to the file.
        ctime_ns = 0 if linked else file.ctime_ns
        self._manifest.record(Record(source.path, file.size, file.mtime_ns, ctime_ns, source.etag))

    def _in_parts(self, source: RemoteObject, before: LocalFile | None) -> Iterator[Work]:
        parts = Parts(self._manifest, source, self._part, self._layer.new_part().name)
        file = self._layer.parts / parts.name
        if parts.begun and not file.exists():
            parts.forget()
        download = self._download(source, file, keep=parts.begun)
        self._open.add(download)
        parts.begin()
        failed: set[str] = set()

        def fetch(number: int, start: int, size: int) -> None:
            download.fetch(start, size)
            self._progress.moved(size)
            self._room.taken(size)

        def fetch_and_finish(number: int, start: int, size: int) -> None:
            self._guarded(source.path, partial(fetch, number, start, size), counts=failed)()
            if parts.arrived(number):
                self._guarded(source.path, finish, counts=failed)()

        def finish() -> None:
            self._finish(source, download, parts, before)

        for piece in parts.left:
            yield partial(fetch_and_finish, *piece)
        if not parts.left:
            yield self._guarded(source.path, finish)

    def _download(self, source: RemoteObject, file: Path, *, keep: bool) -> LargeDownload:
        return LargeDownload(self._container, self._prefix, source, file, keep=keep, checkpoint=self._checkpoint)

    def _finish(self, source: RemoteObject, download: LargeDownload, parts: Parts, before: LocalFile | None) -> None:
        self._verify(download, parts)
        own(download.path, self._layer.owner)
        self._checkpoint()
        self._laid(source, self._layer.move_in(download.path, source.path, before))
        parts.forget()
        with self._lock:
            self._open.discard(download)
        download.close()
        self._progress.copied()

    @staticmethod
    def _verify(download: LargeDownload, parts: Parts) -> None:
        """Whichever part is wrong: all are fetched once more before the object is given up."""
        try:
            download.verify()
        except PlatformFault as fault:
            log.warning("%s; it is fetched once more", fault)
            parts.forget()
            for _, start, size in parts.left:
                download.fetch(start, size)
            download.verify()

    def _from_pool(self, pool: Pool, source: RemoteObject, before: LocalFile | None) -> None:
        for last in [False] * (POOL_TRIES - 1) + [True]:
            with pool.filling(source, self._checkpoint) as part:
                cached = part is None
                if part is not None:
                    self._fill(source, part)
            self._checkpoint()
            try:
                file = self._take(pool.path(source), source, before)
            except FileNotFoundError:
                if last or self._running:
                    raise
                continue
            break
        pool.touch(source)
        self._laid(source, file, linked=self._shared)
        if not (cached and self._shared):  # a link takes no room
            self._room.taken(source.size)
        self._progress.copied(size=source.size, cached=cached)

    def _take(self, held: Path, source: RemoteObject, before: LocalFile | None) -> LocalFile:
        if self._shared:
            return self._layer.link(held, source.path, before)
        own_copy = self._layer.new_part()
        try:
            shutil.copyfile(held, own_copy)
            own(own_copy, self._layer.owner)
            self._checkpoint()
            return self._layer.move_in(own_copy, source.path, before)
        finally:
            own_copy.unlink(missing_ok=True)

    def _fill(self, source: RemoteObject, part: Path) -> None:
        if source.size <= self._part:
            part.write_bytes(self._small.get(source))
        else:
            parts = Parts(self._manifest, source, self._part, part.name)
            if parts.begun and (parts.name != part.name or not part.exists()):
                parts.forget()
            parts.begin()
            download = self._download(source, part, keep=parts.begun)

            def fetch(number: int, start: int, size: int) -> None:
                def one() -> None:
                    with data_errors(self._subject):
                        download.fetch(start, size)

                patiently(one, self._checkpoint)
                parts.arrived(number)

            try:
                fetches = (partial(fetch, *piece) for piece in parts.left)
                Crew(first_failure_ends=True, threads=POOL_THREADS).run(fetches)
                self._verify(download, parts)
                parts.forget()
            finally:
                download.close()
        part.chmod(0o644)
        own(part, self._layer.owner)
