"""Brings a volume and its data store together: pull before the job runs, push after it ended."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from aitrain.domain.errors import PlatformFault, StepCancelled, UserFault
from aitrain.domain.job import Direction, VolumeProgress
from aitrain.domain.states import EndCause, InfoCode
from aitrain.domain.volume import Volume
from aitrain.settings import DataStore
from workers.datasync.faults import data_errors
from workers.datasync.local import Layer, open_inside, scan
from workers.datasync.manifest import Manifest
from workers.datasync.plan import Download, LocalFile, Record, plan_pull, plan_push
from workers.datasync.s3 import S3Container

log = logging.getLogger(__name__)
T = TypeVar("T")

# Requests at once for one volume: enough to hide the latency of small objects.
COPIES_AT_ONCE = 8
PROGRESS_SECONDS = 1.0
# Names of what was skipped that a log line carries; the rest is counted.
NAMES_LOGGED = 10
PREVIEW_LINES = 1000


@dataclass(frozen=True)
class Preview:
    """What a copy would do. summary: in a sentence; lines: the files, the first of them."""

    summary: str
    lines: tuple[str, ...]


class VolumeSync:
    """One volume of one attempt on this host."""

    def __init__(
        self,
        volume: Volume,
        stores: dict[str, DataStore],
        directory: Path,
        *,
        owner: tuple[int, int],
        checkpoint: Callable[[], None],
        report: Callable[[VolumeProgress], None],
    ) -> None:
        """stores: by alias; directory: of this volume, mounted is its part "data"; owner: uid and gid of the job;
        checkpoint: called often, what it raises ends the copy; report: called at most once a second with the progress.
        """
        self._volume, self._stores, self._directory, self._owner = volume, stores, directory, owner
        self._checkpoint, self._report = checkpoint, report
        self._progress = VolumeProgress()
        self._reported = 0.0
        self._lock = threading.Lock()

    @property
    def mounted(self) -> Path:
        """The directory that the job sees."""
        return self._directory / "data"

    def check(self) -> None:
        """Checks that the data store can be used, and that a container that is only read exists.

        Raises UserFault and PlatformFault. Run for every volume before anything is copied or made.
        """
        with data_errors(str(self._volume)):
            self._container().check(may_be_missing=self._volume.permission.writable)

    def preview(self, direction: Direction, *, running: bool = False) -> Preview:
        """What a copy would do, without doing it. Raises UserFault and PlatformFault."""
        volume = self._volume
        with data_errors(str(volume)), Manifest(self._directory / "manifest.jsonl") as manifest:
            local = scan(self.mounted).files
            if direction is Direction.PUSH:
                names = [file.path for file in plan_push(local.values(), volume.prefix, manifest.records).uploads]
            else:
                listing = self._container().listing(volume.prefix)
                plan = plan_pull(listing, volume.prefix, manifest.records, local)
                names = [download.path for download in plan.downloads]
        return Preview(
            f"{len(names)} files to {direction}", tuple(f"{direction} {name}" for name in names[:PREVIEW_LINES])
        )

    def pull(self, *, running: bool = False) -> None:
        """Copies what the store holds under the prefix into the volume.

        What an earlier try laid down whole is kept. Raises UserFault and PlatformFault.
        """
        volume = self._volume
        self._checkpoint()
        with data_errors(str(volume)):
            layer = Layer(self.mounted, self._directory / "parts", self._owner)
            with Manifest(self._directory / "manifest.jsonl") as manifest:
                self._pull(layer, manifest)

    def _pull(self, layer: Layer, manifest: Manifest) -> None:
        volume, container = self._volume, self._container()
        if volume.permission.writable:
            container.ensure()
        listing = container.listing(volume.prefix)
        plan = plan_pull(listing, volume.prefix, manifest.records, scan(self.mounted).files)
        self._checkpoint()
        if plan.clash is not None:
            one, other = plan.clash
            raise UserFault(
                EndCause.DATA_REFUSED,
                InfoCode.DATASYNC_PROGRESS_FAILED_UNKNOWN_ERROR,
                f"{volume}: {one!r} is both an object and the parent of {other!r}; rename one of them",
            )
        self._skip("keys that cannot be files", plan.refused)
        self._start(
            Direction.PULL,
            total=len(plan.downloads) + len(plan.kept),
            skipped=len(plan.kept) + len(plan.refused),
            bytes_total=sum(download.source.size for download in plan.downloads),
        )
        for directory in plan.directories:
            layer.directory(directory)

        def copy(download: Download) -> None:
            with layer.file(download.path) as part:
                container.download(download.source, part, self._checkpoint)
                # The last point at which a copy that was given up may notice it, before the file stands in the volume.
                self._checkpoint()
            laid = layer.stat(download.path)
            manifest.record(download.path, Record(laid.size, laid.mtime_ns, download.source.etag))
            self._done(laid.size)

        self._each(copy, plan.downloads, first_failure_ends=True)

    def push(self, *, running: bool = False) -> None:
        """Copies what is new or changed in the volume to the store. Nothing is deleted there.

        What an earlier try pushed is not pushed again. One file that cannot be pushed does not keep the others from
        it. Raises UserFault and PlatformFault.
        """
        volume = self._volume
        with data_errors(str(volume)), Manifest(self._directory / "manifest.jsonl") as manifest:
            found = scan(self.mounted)
            plan = plan_push(found.files.values(), volume.prefix, manifest.records)
            unfit = plan.unfit | dict.fromkeys(found.too_deep, "it lies too many directories deep")
            self._skip("links and special files", found.skipped)
            self._start(
                Direction.PUSH,
                total=len(plan.uploads) + len(plan.unchanged) + len(unfit),
                skipped=len(plan.unchanged) + len(found.skipped),
                failed=len(unfit),
                bytes_total=sum(file.size for file in plan.uploads),
            )
            container = self._container()

            def copy(file: LocalFile) -> None:
                with open_inside(self.mounted, file.path) as content:
                    etag = container.upload(content, volume.prefix + file.path, self._checkpoint)
                manifest.record(file.path, Record(file.size, file.mtime_ns, etag))
                self._done(file.size)

            self._each(copy, plan.uploads, first_failure_ends=False)
        if unfit:
            path, reason = next(iter(unfit.items()))
            raise PlatformFault(
                EndCause.DATA_FAULT,
                InfoCode.JOB_SYNC_FAILED,
                f"{volume}: {len(unfit)} files cannot be pushed, among them {path!r}: {reason}. The others are pushed; "
                "these stay on the host",
            )

    def _container(self) -> S3Container:
        store = self._stores.get(self._volume.alias)
        if store is None:
            raise UserFault(
                EndCause.DATA_REFUSED,
                InfoCode.DATASYNC_DATA_STORE_NOT_FOUND,
                f"{self._volume}: this host knows no data store {self._volume.alias!r}; add it to its settings",
            )
        return S3Container(store, self._volume.container)

    def _each(self, copy: Callable[[T], None], items: Iterable[T], *, first_failure_ends: bool) -> None:
        """Runs copies side by side, and raises the first failure when all have ended."""
        failed = threading.Event()

        def guarded(item: T) -> None:
            if failed.is_set():
                return
            try:
                self._checkpoint()
                with data_errors(str(self._volume)):
                    copy(item)
            except StepCancelled:
                failed.set()
                raise
            except Exception:
                if first_failure_ends:
                    failed.set()
                self._failed()
                raise

        with ThreadPoolExecutor(COPIES_AT_ONCE, thread_name_prefix="copy") as pool:
            futures = [pool.submit(guarded, item) for item in items]
        self._tell()
        for future in futures:
            future.result()

    def _start(self, direction: Direction, *, total: int, skipped: int, failed: int = 0, bytes_total: int = 0) -> None:
        self._progress = VolumeProgress(
            direction=direction, total=total, skipped=skipped, failed=failed, bytes_total=bytes_total
        )
        self._tell()

    def _done(self, size: int) -> None:
        with self._lock:
            now = self._progress
            self._progress = now.model_copy(
                update={"processed": now.processed + 1, "completed": now.completed + 1, "bytes": now.bytes + size}
            )
            due = time.monotonic() - self._reported >= PROGRESS_SECONDS
            if due:
                self._reported = time.monotonic()
        if due:
            self._tell()

    def _failed(self) -> None:
        with self._lock:
            now = self._progress
            self._progress = now.model_copy(update={"processed": now.processed + 1, "failed": now.failed + 1})

    def _tell(self) -> None:
        self._report(self._progress)

    def _skip(self, what: str, names: Iterable[str]) -> None:
        listed = list(names)
        if listed:
            log.warning("%s: skipped %d %s: %s", self._volume, len(listed), what, listed[:NAMES_LOGGED])
