"""Carries out the plan of a push. The files are a job's: whatever they have become by the time they are read, nothing
outside the volume is read, and one that cannot be pushed does not keep the others from it.
"""

from __future__ import annotations

import errno
import logging
import os
import threading
from collections.abc import Callable, Collection, Iterator
from contextlib import ExitStack, suppress
from functools import partial
from pathlib import Path

from botocore.exceptions import ClientError

from aitrain.domain.errors import PlatformFault, StepCancelled
from workers.datasync.actions import Action, Do
from workers.datasync.crew import Crew, Work
from workers.datasync.digests import OF_CONTENT, etag_of_parts, md5_of_range
from workers.datasync.entries import RECORDED_WHILE_RUNNING, Kind, LocalFile, Record
from workers.datasync.faults import data_errors
from workers.datasync.large import LargeUpload, part_bytes, ranges
from workers.datasync.local import SWAPPED, is_gone, open_inside
from workers.datasync.manifest import Manifest
from workers.datasync.progress import Progress
from workers.datasync.retries import patiently
from workers.datasync.s3 import S3Container
from workers.datasync.small import SmallObjects

log = logging.getLogger(__name__)

# A file that is written to while it is read is read again, in the hope that it comes to rest.
READS = 3


class Push:
    """Brings files of a volume to a container."""

    def __init__(
        self,
        subject: str,
        container: S3Container,
        prefix: str,
        root: Path,
        manifest: Manifest,
        progress: Progress,
        *,
        running: bool,
        clashes: Collection[str],
        part: int,
        checkpoint: Callable[[], None],
    ) -> None:
        """running: the job is at work there, and files may come, change and go; clashes: paths that are not to be
        uploaded; others as for Pull.
        """
        self._subject, self._container, self._prefix, self._root = subject, container, prefix, root
        self._manifest, self._progress = manifest, progress
        self._running, self._clashes = running, clashes
        self._part, self._checkpoint = part, checkpoint
        self._small = SmallObjects(container, prefix, checkpoint)
        self._open: set[ExitStack] = set()
        self._lock = threading.Lock()
        self.unsettled: list[str] = []
        self.swapped: list[str] = []

    def upload(self, plan: Iterator[Action]) -> None:
        """Uploads, and raises the first failure when all have been tried."""
        try:
            Crew(first_failure_ends=False).run(self._uploads(plan))
        finally:
            for held in self._open:
                held.close()
            self._progress.tell()

    def delete(self, plan: Iterator[Action]) -> None:
        """Deletes the objects of files that are gone, and raises the first failure. Only after upload() ended well."""
        works = (
            self._guarded(action.path, partial(self._delete, action.record))
            for action in plan
            if action.do is Do.DELETE and action.record is not None
        )
        try:
            Crew(first_failure_ends=False).run(works)
        finally:
            self._progress.tell()

    def _uploads(self, plan: Iterator[Action]) -> Iterator[Work]:
        for action in plan:
            if action.do is not Do.UPLOAD or action.file is None or action.path in self._clashes:
                continue
            known = action.record if action.record and action.record.ctime_ns == RECORDED_WHILE_RUNNING else None
            if action.file.size > self._part and not self._running and known is None:
                yield from self._in_parts(action.file.path)
            else:
                yield self._guarded(action.path, partial(self._upload, action.path, known))

    def _guarded(self, path: str, copy: Work, *, counts: set[str] | None = None) -> Work:
        """The work of one file, or of one part of it. counts: of files of which a part has failed; they fail once."""

        def wrapped() -> None:
            with data_errors(self._subject):
                copy()

        def work() -> None:
            self._checkpoint()
            try:
                patiently(wrapped, self._checkpoint)
            except StepCancelled:
                raise
            except Exception:
                if counts is None or path not in counts:
                    self._progress.failed()
                if counts is not None:
                    counts.add(path)
                raise

        return work

    def _upload(self, path: str, known: Record | None = None) -> None:
        for last in [False] * (READS - 1) + [True]:
            try:
                with open_inside(self._root, path) as descriptor:
                    file = _as_opened(descriptor, path)
                    if known is not None and self._is_pushed(descriptor, file, known):
                        etag = known.etag
                    else:
                        etag = self._send(descriptor, file)
                    settled = _as_opened(descriptor, path) == file
            except OSError as error:
                if not self._is_none(path, error):
                    raise
                self._progress.skipped()
                return
            if settled or last or self._running:
                break
        self._pushed(file, etag, settled=settled)
        self._progress.copied(size=file.size)

    def _is_pushed(self, descriptor: int, file: LocalFile, known: Record) -> bool:
        """Whether the content is what was pushed while the job ran: read, and not sent again."""
        if file.size != known.size:
            return False
        if OF_CONTENT.fullmatch(known.etag):
            return md5_of_range(descriptor, 0, file.size, self._checkpoint)[0].hex() == known.etag
        pieces = ranges(file.size, part_bytes(file.size, self._part))
        return (
            etag_of_parts([md5_of_range(descriptor, *piece[1:], self._checkpoint)[0] for piece in pieces]) == known.etag
        )

    def _send(self, descriptor: int, file: LocalFile) -> str:
        if file.size <= self._part:
            content = os.pread(descriptor, file.size, 0)
            self._checkpoint()
            return self._small.put(file.path, content)
        upload = self._begin(descriptor, file, "")
        try:
            for number, start, size in ranges(file.size, part_bytes(file.size, self._part)):
                upload.send(number, start, size)
            return upload.complete()
        except BaseException:
            upload.abort()
            raise

    def _begin(self, descriptor: int, file: LocalFile, upload_id: str) -> LargeUpload:
        return LargeUpload(
            self._container, self._prefix + file.path, descriptor, file, upload_id=upload_id,
            checkpoint=self._checkpoint,
        )  # fmt: skip

    def _in_parts(self, path: str) -> Iterator[Work]:
        held = ExitStack()
        upload = None
        # Whatever fails here, the way of small files meets it too, and tells it.
        with suppress(Exception), data_errors(self._subject):
            descriptor = held.enter_context(open_inside(self._root, path))
            file = _as_opened(descriptor, path)
            part = part_bytes(file.size, self._part)
            upload = self._resume(descriptor, file, part) if file.size > self._part else None
        if upload is None:
            held.close()
            yield self._guarded(path, partial(self._upload, path))
            return
        self._open.add(held)
        pieces = ranges(file.size, part)
        pending = {number for number, _, _ in pieces}
        failed: set[str] = set()

        def send(number: int, start: int, size: int) -> None:
            upload.send(number, start, size)
            self._progress.moved(size)

        def finish() -> None:
            try:
                etag = upload.complete()
            except (PlatformFault, ClientError):
                # Not to be gone on with: the store may not know it any more, and the next try begins anew.
                self._manifest.set_unfinished(path, {})
                raise
            self._manifest.set_unfinished(path, {})
            self._pushed(file, etag, settled=_as_opened(descriptor, path) == file)
            self._progress.copied()
            with self._lock:
                self._open.discard(held)
            held.close()

        def send_and_finish(number: int, start: int, size: int) -> None:
            self._guarded(path, partial(send, number, start, size), counts=failed)()
            with self._lock:
                pending.discard(number)
                last = not pending
            if last:
                self._guarded(path, finish, counts=failed)()

        for piece in pieces:
            yield partial(send_and_finish, *piece)

    def _resume(self, descriptor: int, file: LocalFile, part: int) -> LargeUpload:
        known = self._manifest.unfinished(file.path)
        facts = {"stat": f"{file.size} {file.mtime_ns} {file.ctime_ns}", "part": str(part)}
        same = all(known.get(name) == value for name, value in facts.items())
        upload = self._begin(descriptor, file, known.get("upload_id", "") if same else "")
        self._manifest.set_unfinished(file.path, facts | {"upload_id": upload.upload_id})
        return upload

    def _pushed(self, file: LocalFile, etag: str, *, settled: bool) -> None:
        if settled:
            ctime_ns = RECORDED_WHILE_RUNNING if self._running else file.ctime_ns
            self._manifest.record(Record(file.path, file.size, file.mtime_ns, ctime_ns, etag), pushed=True)
        else:
            with self._lock:
                self.unsettled.append(file.path)

    def _is_none(self, path: str, error: OSError) -> bool:
        if error.errno in SWAPPED or (self._running and error.errno == errno.ENOENT):
            with self._lock:
                self.swapped.append(path)
            return True
        return False

    def _delete(self, record: Record) -> None:
        if not is_gone(self._root, record.path):
            return
        if not self._small.delete(record.path, record.etag):
            log.warning("%s: %r is another object by now, and is not deleted", self._subject, record.path)
            return
        self._manifest.note_deleted(record.path)
        self._progress.deleted()


def _as_opened(descriptor: int, path: str) -> LocalFile:
    info = os.fstat(descriptor)
    return LocalFile(path, info.st_size, info.st_mtime_ns, info.st_ctime_ns, Kind.FILE)
