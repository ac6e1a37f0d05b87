"""The host's cache: one copy of each object that a project's jobs read with `cache`.

It is a pool of files that are whole, verified and never changed again, each named by what it is: its data store,
container, key, ETag and size. A job's volume holds links to them. So one copy serves all readers, a refresh costs the
difference, a version that a job still reads stays while a newer one comes beside it, and a worker that dies in the
middle leaves nothing that anybody would take for whole. The kernel's link count says who reads: nothing has to be
registered, and nothing can be forgotten. Each project has a pool of its own.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import shutil
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from aitrain.domain.volume import Volume
from aitrain.settings import DataStore
from workers.datasync.plan import RemoteObject

log = logging.getLogger(__name__)

POLL_SECONDS = 0.2
# What a killed worker was filling; no copy of one object takes this long.
LEFT_BEHIND_SECONDS = 86_400


@dataclass(frozen=True)
class CacheUse:
    """What a pool was good for since it was begun: files that were there (hits) or were not, and the bytes of hits."""

    hits: int = 0
    misses: int = 0
    bytes_saved: int = 0


class Pool:
    """The cached objects of one source: a container and prefix of a data store, as one project reads it."""

    def __init__(self, cache: Cache, project: str, identity: str) -> None:
        self._cache, self.project, self._identity = cache, project, identity
        self._directory = cache.directory / project

    def path(self, source: RemoteObject) -> Path:
        """Where an object's file is, or would be."""
        identity = f"{self._identity}\0{source.path}\0{source.etag}\0{source.size}"
        name = hashlib.sha256(identity.encode("utf-8", "surrogateescape")).hexdigest()
        return self._directory / name[:2] / name

    def holds(self, source: RemoteObject) -> bool:
        """Whether an object is there."""
        return self.path(source).exists()

    @contextmanager
    def filling(self, source: RemoteObject, checkpoint: Callable[[], None]) -> Iterator[Path | None]:
        """A path to write an object to, which stands in the pool when the block ends well; None if it is there.

        Another job that wants the same object at the same moment waits for this one.
        """
        path = self.path(source)
        with self._cache.alone(path, checkpoint):
            if path.exists():
                yield None
                return
            path.parent.mkdir(parents=True, exist_ok=True)
            part = self._cache.parts / uuid.uuid4().hex
            part.parent.mkdir(exist_ok=True)
            try:
                yield part
                part.rename(path)
            finally:
                part.unlink(missing_ok=True)

    def touch(self, source: RemoteObject) -> None:
        """Notes that an object is used. The time of access says so, which file systems do not keep by themselves."""
        with suppress(OSError):
            path = self.path(source)
            os.utime(path, ns=(time.time_ns(), path.stat().st_mtime_ns))


class Cache:
    """All pools of a host."""

    def __init__(self, data_dir: Path) -> None:
        # Beside the jobs' volumes: links cannot cross file systems.
        self.directory, self.parts = data_dir / "cache", data_dir / "cache-parts"
        self._busy: set[Path] = set()
        self._changed = threading.Condition()

    def pool(self, project: str, volume: Volume, store: DataStore) -> Pool:
        """The pool of a volume's source. An alias may be given to another data store, so it is not what counts."""
        return Pool(self, project, f"{store.endpoint_url}\0{store.region}\0{volume.container}\0{volume.prefix}")

    @contextmanager
    def alone(self, path: Path, checkpoint: Callable[[], None]) -> Iterator[None]:
        """Keeps others of this process from a path while the block lasts."""
        with self._changed:
            while path in self._busy:
                checkpoint()
                self._changed.wait(POLL_SECONDS)
            self._busy.add(path)
        try:
            yield
        finally:
            with self._changed:
                self._busy.discard(path)
                self._changed.notify_all()

    def note(self, project: str, *, hits: int, misses: int, bytes_saved: int) -> None:
        """Adds a copy's counts to those of its project."""
        with self._changed:
            use = self.use(project)
            new = replace(
                use, hits=use.hits + hits, misses=use.misses + misses, bytes_saved=use.bytes_saved + bytes_saved
            )
            file = self.directory / project / "use.json"
            with suppress(OSError):  # counts are not worth a job
                file.parent.mkdir(parents=True, exist_ok=True)
                part = file.with_suffix(".part")
                part.write_text(json.dumps(asdict(new)))
                part.rename(file)

    def use(self, project: str) -> CacheUse:
        """What a project's pool was good for."""
        with suppress(OSError, ValueError, TypeError):
            return CacheUse(**json.loads((self.directory / project / "use.json").read_text()))
        return CacheUse()

    def projects(self) -> list[str]:
        """Those that have a pool here."""
        return sorted(path.name for path in self.directory.glob("*") if path.is_dir())

    def size(self, project: str) -> tuple[int, int]:
        """Files of a pool, and their bytes."""
        sizes = [info.st_size for _, info in self._files(self.directory / project)]
        return len(sizes), sum(sizes)

    def evict_idle(self, idle_seconds: float) -> int:
        """Removes what nobody has used for so long and no job holds; the bytes that were freed."""
        limit_ns = time.time_ns() - int(idle_seconds * 1e9)
        freed = 0
        for path, info in self._files(self.directory):
            if info.st_nlink == 1 and info.st_atime_ns < limit_ns:
                freed += self._remove(path, info.st_size)
        self._remove_left_behind()
        return freed

    def make_room(self, size: int) -> None:
        """Removes what has not been used for longest and no job holds, until so many bytes of it are gone."""
        spare = [
            (info.st_atime_ns, path, info.st_size) for path, info in self._files(self.directory) if info.st_nlink == 1
        ]
        freed = 0
        for _, path, bytes_ in sorted(spare):
            if freed >= size:
                break
            freed += self._remove(path, bytes_)

    def _remove(self, path: Path, size: int) -> int:
        # A job that links it at this very moment either finds it gone and fetches it, or keeps what it has linked.
        with suppress(OSError):
            path.unlink()
            return size
        return 0

    def _files(self, directory: Path) -> Iterator[tuple[Path, os.stat_result]]:
        for base, _, names in os.walk(directory):
            for name in names:
                path = Path(base) / name
                with suppress(OSError):
                    if len(name) == 64:
                        yield path, path.stat()

    def _remove_left_behind(self) -> None:
        for part in self.parts.glob("*"):
            with suppress(OSError):
                if time.time() - part.stat().st_mtime > LEFT_BEHIND_SECONDS:
                    part.unlink()


def copy_file(source: Path, to: Path, checkpoint: Callable[[], None]) -> None:
    """Copies a cached file for a job that may write to it."""
    checkpoint()
    shutil.copyfile(source, to)
