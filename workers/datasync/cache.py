"""The host's cache: one copy of each object that a project's jobs read with `cache`.

It is a pool of files that are whole, verified and never changed again, each named by what it is: its data store,
container, key, ETag and size. A job's volume holds links to them. So one copy serves all readers, a refresh costs the
difference, a version that a job still reads stays while a newer one comes beside it, and a worker that dies in the
middle leaves nothing that anybody would take for whole. The kernel's link count says who reads: nothing has to be
registered, and nothing can be forgotten. Each project has a pool of its own.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import logging
import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from aitrain.domain.volume import Volume
from aitrain.settings import DataStore
from workers.datasync.entries import RemoteObject

log = logging.getLogger(__name__)

POLL_SECONDS = 0.2
# What a killed worker was filling is kept so long for the next one to go on with.
LEFT_BEHIND_SECONDS = 86_400
# What was used just now is about to be linked, or was counted on when a copy was found to fit.
FRESH_SECONDS = 60.0


@dataclass(frozen=True)
class CacheUse:
    """What a pool was good for since it was begun: files that were there (hits) or were not, and the bytes of hits."""

    hits: int = 0
    misses: int = 0
    bytes_saved: int = 0


class Pool:
    """The cached objects of one container of a data store, as one project reads it."""

    def __init__(self, cache: Cache, project: str, identity: str, prefix: str) -> None:
        """identity: of the container; prefix: of the volume's keys."""
        self._cache, self.project, self._identity, self._prefix = cache, project, identity, prefix
        self._directory = cache.directory / project

    def path(self, source: RemoteObject) -> Path:
        """Where an object's file is, or would be."""
        identity = f"{self._identity}\0{self._prefix}{source.path}\0{source.etag}\0{source.size}"
        name = hashlib.sha256(identity.encode("utf-8", "surrogateescape")).hexdigest()
        return self._directory / name[:2] / name

    def holds(self, source: RemoteObject) -> bool:
        """Whether an object is there. One that a crash of the machine has cut is not."""
        try:
            return self.path(source).stat().st_size == source.size
        except OSError:
            return False

    @contextmanager
    def filling(self, source: RemoteObject, checkpoint: Callable[[], None]) -> Iterator[Path | None]:
        """A path to write an object to, which stands in the pool when the block ends well; None if it is there.

        Another job that wants the same object at the same moment waits for this one.
        """
        path = self.path(source)
        with self._cache.alone(path, checkpoint):
            if self.touch(source):
                yield None
                return
            path.parent.mkdir(parents=True, exist_ok=True)
            # What a killed worker has fetched of a large object is found again by this name.
            part = self._cache.parts / f"{self.project}-{path.name}"
            part.parent.mkdir(exist_ok=True)
            yield part
            part.rename(path)

    def touch(self, source: RemoteObject) -> bool:
        """Notes that an object is used; whether it is there.

        The time of access says so, which file systems do not keep by themselves.
        """
        if not self.holds(source):
            return False
        with suppress(OSError):
            path = self.path(source)
            os.utime(path, ns=(time.time_ns(), path.stat().st_mtime_ns))
        return True


class Cache:
    """All pools of a host."""

    def __init__(self, data_dir: Path) -> None:
        # Beside the jobs' volumes: links cannot cross file systems.
        self.directory, self.parts = data_dir / "cache", data_dir / "cache-parts"
        self._busy: set[Path] = set()
        self._changed = threading.Condition()

    def pool(self, project: str, volume: Volume, store: DataStore) -> Pool:
        """The pool of a volume's source. An alias may be given to another data store, so it is not what counts."""
        return Pool(self, project, f"{store.endpoint_url}\0{store.region}\0{volume.container}", volume.prefix)

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
        now_ns = time.time_ns()
        freed = 0
        for path, info in self._files(self.directory):
            if info.st_nlink > 1:  # in use until now, however long ago it was linked
                with suppress(OSError):
                    os.utime(path, ns=(now_ns, info.st_mtime_ns))
            elif info.st_atime_ns < now_ns - int(idle_seconds * 1e9):
                freed += self._remove(path, info.st_size)
        return freed + self._remove_left_behind(LEFT_BEHIND_SECONDS)

    def make_room(self, size: int, project: str = "") -> None:
        """Removes what has not been used for longest and no job holds, until so many bytes of it are gone.

        project: of its pool only.
        """
        fresh_ns = time.time_ns() - int(FRESH_SECONDS * 1e9)
        spare = [
            (info.st_atime_ns, path, info.st_size)
            for path, info in self._files(self.directory / project)
            if info.st_nlink == 1 and info.st_atime_ns < fresh_ns
        ]
        freed = 0 if project else self._remove_left_behind(FRESH_SECONDS)
        for _, path, bytes_ in sorted(spare):
            if freed >= size:
                break
            freed += self._remove(path, bytes_)

    def _remove(self, path: Path, size: int) -> int:
        # A job that links it at this very moment keeps what it has linked, or finds it gone and fetches it (pull.py).
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

    def _remove_left_behind(self, seconds: float) -> int:
        """Parts of objects that a killed worker left, and that nobody has gone on with for so long."""
        freed = 0
        for part in self.parts.glob("*"):
            with suppress(OSError), part.open("rb") as file:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)  # fails where somebody is at work
                info = part.stat()
                if time.time() - info.st_mtime > seconds:
                    freed += self._remove(part, info.st_size)
        return freed
