"""What projects may have in the caches of all hosts together: room there is kept before a copy fills it."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Protocol

from workers.datasync.cache import Cache


class CacheQuotas(Protocol):
    """Who knows the quotas of all hosts' caches. Raises nothing: without an answer, there is no room."""

    def limited(self, project: str) -> bool:
        """Whether a project has a quota of cached bytes."""

    def keep(self, project: str, held: int, more: int) -> int:
        """Tells what this host's cache holds of a project, and what it is about to add, in bytes.

        Answers 0 if that is kept for it, or by how many bytes it is too much: then nothing is.
        """


class Allowance:
    """The quotas of cached bytes, as the copies of this process share them."""

    def __init__(self, cache: Cache, quotas: CacheQuotas) -> None:
        self._cache, self._quotas = cache, quotas
        self._lock = threading.Lock()
        self._kept: Counter[str] = Counter()

    @contextmanager
    def keep(self, project: str, size: Callable[[], int]) -> Iterator[bool]:
        """Keeps so many bytes of a project's quota while the block lasts; whether there was room.

        Where there is none, what no job reads of the project leaves this host's cache first. size: asked for only if
        the project has a quota.
        """
        if not self._quotas.limited(project):
            yield True
            return
        more = size()
        with self._lock:
            over = self._ask(project, more)
            if over:
                self._cache.make_room(over, project)
                over = self._ask(project, more)
            if not over:
                self._kept[project] += more
        try:
            yield not over
        finally:
            if not over:
                with self._lock:
                    self._kept[project] -= more
                    self._ask(project, 0)

    def _ask(self, project: str, more: int) -> int:
        _, held = self._cache.size(project)
        return self._quotas.keep(project, held, self._kept[project] + more)
