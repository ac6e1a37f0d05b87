"""Plans: what a copy has to do, computed apart from doing it. Pure, and flat in memory.

Each plan merges streams that are sorted by the bytes of their paths, so that a volume of millions of objects is planned
in the memory of one. A directory is a path that ends with a slash, as the keys that mark directories do.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import groupby
from operator import attrgetter
from typing import Any

from workers.datasync.actions import Action, Do
from workers.datasync.entries import Kind, LocalFile, Record, RemoteObject, in_bytes

# A directory entry of Linux file systems; a longer key cannot be a file.
MAX_NAME_BYTES = 255
# The longest key of S3. Directories deeper than this are not walked: each level costs the walk a descriptor.
MAX_KEY_BYTES = 1024
MAX_DEPTH = 100
# The largest object of S3; a sparse file may claim to be larger.
MAX_OBJECT_BYTES = 5 * 1024**4


def refusal(path: str) -> str | None:
    """Why a path relative to a volume may not be laid down there; None if it may."""
    parts = path.removesuffix("/").split("/")
    if "\0" in path:
        return "it has a NUL character"
    if any(part in ("", ".", "..") for part in parts):
        return "it would leave the volume, or is ambiguous"
    if any(len(part.encode(errors="surrogatepass")) > MAX_NAME_BYTES for part in parts):
        return f"it has a name of more than {MAX_NAME_BYTES} bytes"
    if len(parts) + path.endswith("/") > MAX_DEPTH:
        return f"it lies more than {MAX_DEPTH} directories deep"
    return None


def unfit_as_key(key: str) -> str | None:
    """Why a file cannot be pushed under a key; None if it can."""
    try:
        size = len(key.encode())
    except UnicodeEncodeError:
        return "its name is not UTF-8"
    return f"its key would be longer than {MAX_KEY_BYTES} bytes" if size > MAX_KEY_BYTES else None


def plan_pull(
    remote: Iterable[RemoteObject], seen: Iterable[Record], local: Iterable[LocalFile], *, running: bool = False
) -> Iterator[Action]:
    """What has to be done so that a volume holds what its data store does.

    remote: what is listed; seen: what the manifest remembers; local: what stands there; each sorted (in_bytes).
    running: the job is at work there: what it changed, made or removed is left alone, and nothing is removed.
    """
    clashes = _Clashes()
    for path, (held, record, file) in _joined(remote, seen, local):
        if held is None:
            if not running and file is not None and file.kind is not Kind.DIRECTORY:
                yield Action(Do.DROP, path, file=file, record=record)
            continue
        if (why := _refusal(held)) is not None:
            yield Action(Do.SKIP, path, why, remote=held)
            continue
        if (parent := clashes.parent_of(path)) is not None:
            yield Action(Do.CLASH, parent, path)
        elif path.endswith("/"):
            yield _pull_directory(held, record, file, running=running)
        else:
            yield _pull(held, record, file, running=running)


def _refusal(held: RemoteObject) -> str | None:
    if held.path.endswith("/") and held.size:
        return "it marks a directory, and has content"
    return refusal(held.path)


def _pull_directory(held: RemoteObject, record: Record | None, file: LocalFile | None, *, running: bool) -> Action:
    if record is None or (file is None and not running):
        return Action(Do.MAKE_DIRECTORY, held.path, remote=held)
    return Action(Do.KEEP if file is not None else Do.LEAVE, held.path, "" if file else "the job removed it")


def _pull(held: RemoteObject, record: Record | None, file: LocalFile | None, *, running: bool) -> Action:
    known = record is not None and record.etag == held.etag
    if known and record is not None and record.describes(file):
        return Action(Do.KEEP, held.path, file=file)
    if running and file is None and known:
        return Action(Do.LEAVE, held.path, "the job removed it")
    if running and file is not None and (record is None or not record.describes(file)):
        return Action(Do.LEAVE, held.path, "the job wrote it")
    return Action(Do.DOWNLOAD, held.path, remote=held, file=file)


def plan_push(
    seen: Iterable[Record],
    local: Iterable[LocalFile],
    *,
    prefix: str = "",
    deletes: bool = False,
    same_boot: bool = True,
) -> Iterator[Action]:
    """What has to be done so that a data store holds what a volume does.

    seen, local: as for plan_pull; prefix: of the volume's keys; deletes: objects go that the manifest knows and whose
    files the job removed. What is left of a path that became a link or a special file is not taken for removed.
    same_boot: the machine has run since seen was written; if not, files may have been damaged.

    A CLASH comes after the UPLOAD of its path, which must then not be made: no later job could read such a store.
    """
    unseen, uploads, objects = _Clashes(), _Clashes(), _Clashes()
    for path, (_, record, file) in _joined((), seen, local):
        beneath = unseen.parent_of(path, keep=file is not None and file.kind not in (Kind.FILE, Kind.DIRECTORY))
        stays = record is not None and file is None and not deletes
        object_above = objects.parent_of(path, keep=stays)
        upload_above = uploads.parent_of(path, keep=file is not None and file.kind is Kind.FILE)
        if file is not None:
            action = _push(path, record, file, prefix, same_boot=same_boot)
            if action is not None and action.do is Do.UPLOAD and object_above is not None:
                action = Action(Do.UNFIT, path, f"the data store has an object {prefix + object_above!r} there")
            if action is not None:
                yield action
        elif record is not None and deletes and beneath is None:
            yield Action(Do.DELETE, path, record=record)
        elif stays and upload_above is not None:
            yield Action(Do.CLASH, upload_above, path)


# Why an entry is not pushed: what it is.
NOT_PUSHED = {
    Kind.OTHER: (Do.SKIP, "it is a link or a special file"),
    Kind.TOO_DEEP: (Do.UNFIT, "it lies too many directories deep"),
    Kind.CLOSED: (Do.UNFIT, "it is a directory that this host may not read"),
}


def _push(path: str, record: Record | None, file: LocalFile, prefix: str, *, same_boot: bool) -> Action | None:
    if file.kind in NOT_PUSHED:
        return Action(NOT_PUSHED[file.kind][0], path, NOT_PUSHED[file.kind][1])
    if file.kind is Kind.DIRECTORY:
        return None
    why = unfit_as_key(prefix + path)
    if why is None and file.size > MAX_OBJECT_BYTES:
        why = f"it is larger than an object may be ({MAX_OBJECT_BYTES} bytes)"
    if why is not None:
        return Action(Do.UNFIT, path, why)
    if record is not None and record.describes(file):
        return Action(Do.KEEP, path)
    if record is not None and not same_boot and record.was_damaged(file):
        return Action(Do.SKIP, path, "it was damaged when the host went down")
    return Action(Do.UPLOAD, path, file=file, record=record)


class _Clashes:
    """Finds, in a sorted stream, a path that lies beneath another one of it that is no directory.

    Between "a" and "a/b" other paths may come ("a-b"), but each of them begins with "a": a stack of those will do.
    """

    def __init__(self) -> None:
        self._open: list[str] = []

    def parent_of(self, path: str, *, keep: bool = True) -> str | None:
        """The path that this one lies beneath, if any. keep: others may lie beneath this one."""
        while self._open and not path.startswith(self._open[-1]):
            self._open.pop()
        # All that is open begins this path, so that the character after it decides.
        parent = next((one for one in self._open if path[len(one) : len(one) + 1] == "/"), None)
        if keep and not path.endswith("/"):
            self._open.append(path)
        return parent


def _distinct(items: Iterable[Any]) -> Iterator[Any]:
    return (next(same) for _, same in groupby(items, key=attrgetter("path")))


def _joined(
    remote: Iterable[RemoteObject], seen: Iterable[Record], local: Iterable[LocalFile]
) -> Iterator[tuple[str, tuple[RemoteObject | None, Record | None, LocalFile | None]]]:
    """The three streams side by side, path by path."""
    streams = [iter(_distinct(remote)), iter(_distinct(seen)), iter(_distinct(local))]
    heads = [next(stream, None) for stream in streams]
    keys = [None if head is None else in_bytes(head.path) for head in heads]
    while any(key is not None for key in keys):
        least = min(key for key in keys if key is not None)
        row = [head if key == least else None for head, key in zip(heads, keys, strict=True)]
        path = next(item.path for item in row if item is not None)
        yield path, (row[0], row[1], row[2])
        for number, item in enumerate(row):
            if item is not None:
                heads[number] = head = next(streams[number], None)
                keys[number] = None if head is None else in_bytes(head.path)
