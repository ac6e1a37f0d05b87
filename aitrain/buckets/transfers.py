"""What is done to many objects at once: which files they are, and what became of each."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from aitrain.buckets.faults import told
from aitrain.domain.errors import AitrainError

T = TypeVar("T")
H = TypeVar("H", bound=Hashable)

# Transfers at a time: small objects wait for the network most of their time.
PARALLEL = 8


@dataclass(frozen=True)
class ObjectDone:
    """What became of one object or file. name: its key, or the file's path; error: "" if all went well."""

    name: str
    size: int = 0
    error: str = ""


class TransferWatch:
    """Told how it goes, from several threads at once. Does nothing: a subclass looks at what it wants to know."""

    def begins(self, planned: Sequence[ObjectDone]) -> None:
        """What becomes of each if all goes well. What this raises keeps any from being touched."""

    def moves(self, size: int) -> None:
        """So many bytes more were copied; less than 0 where some are sent again."""

    def ends(self, done: ObjectDone) -> None:
        """One is over."""


UNWATCHED = TransferWatch()
# Called with each number of bytes that was moved.
Moves = Callable[[int], None]


class _Left(Exception):
    """Who wanted it has gone."""


def found_files(given: Iterable[Path | str]) -> Sequence[tuple[Path, str]]:
    """Files, each once, and the keys that they get below a prefix. A directory that cannot be read is one of them."""
    return list(dict.fromkeys(_files(given)))


def _files(given: Iterable[Path | str]) -> Iterator[tuple[Path, str]]:
    for text in given:
        path = Path(text)
        if not os.path.isdir(path):  # noqa: PTH112 - never raises
            yield path, path.name
            continue
        if path.name == "..":  # the name of the directory is meant
            path = path.resolve()
        base = path if str(text).endswith("/") or not path.name else path.parent
        unread: list[OSError] = []
        for inner, _, names in os.walk(path, onerror=unread.append):
            for file in sorted(Path(inner) / name for name in names):
                if file.is_file() and not file.is_symlink():
                    yield file, file.relative_to(base).as_posix()
        for error in unread:
            yield Path(error.filename), Path(error.filename).relative_to(base).as_posix()


def doubled(targets: Iterable[tuple[H, str]]) -> dict[H, H]:
    """Those that would be laid where an earlier one is, and that earlier one. targets: each, and where it would be."""
    first: dict[str, H] = {}
    return {one: first[target] for one, target in targets if first.setdefault(target, one) != one}


def each(
    act: Callable[[T, Moves], None], items: Sequence[T], planned: Callable[[T], ObjectDone], watch: TransferWatch
) -> Sequence[ObjectDone]:
    """Acts on each item, some at a time, and says what became of each. If it is interrupted, what is under way is given
    up, and nothing more begins.
    """
    left = threading.Event()

    def moves(size: int) -> None:
        if left.is_set():
            raise _Left
        watch.moves(size)

    def one(item: T, done: ObjectDone) -> ObjectDone:
        try:
            with told(done.name):
                act(item, moves)
        except (AitrainError, OSError) as error:
            done = ObjectDone(done.name, error=str(error))
        watch.ends(done)
        return done

    plan = [planned(item) for item in items]
    watch.begins(plan)
    with ThreadPoolExecutor(PARALLEL) as pool:
        try:
            return list(pool.map(one, items, plan))
        except BaseException:
            left.set()
            raise
