"""Plans: what a copy has to do, computed apart from doing it. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

# A directory entry of Linux file systems; a longer key cannot be a file.
MAX_NAME_BYTES = 255
# The longest key of S3. Directories deeper than this are not walked: each level costs the walk a descriptor.
MAX_KEY_BYTES = 1024
MAX_DEPTH = 100


@dataclass(frozen=True)
class RemoteObject:
    """An object of a listing. size in bytes; etag without quotes."""

    key: str
    size: int
    etag: str


@dataclass(frozen=True)
class LocalFile:
    """A regular file of a volume. path: relative to it; mtime_ns: Unix time, ns."""

    path: str
    size: int
    mtime_ns: int


@dataclass(frozen=True)
class Record:
    """What the manifest remembers of a file that equals its object: the file as it was laid down, the object's ETag."""

    size: int
    mtime_ns: int
    etag: str

    def describes(self, file: LocalFile | None) -> bool:
        """The file has not been written to since. Costs its stat, not a read."""
        return file is not None and (file.size, file.mtime_ns) == (self.size, self.mtime_ns)


@dataclass(frozen=True)
class Download:
    """An object and the path it goes to."""

    path: str
    source: RemoteObject


@dataclass(frozen=True)
class PullPlan:
    """What sync-in has to do.

    directories: marked by keys that end with a slash; kept: paths that are there already; refused: key -> why it
    cannot be a file of the volume; clash: two keys of which one would have to be a file and a directory at once.
    """

    downloads: tuple[Download, ...] = ()
    directories: tuple[str, ...] = ()
    kept: tuple[str, ...] = ()
    refused: dict[str, str] = field(default_factory=dict)
    clash: tuple[str, str] | None = None


def refusal(path: str) -> str | None:
    """Why a path relative to a volume may not be laid down there; None if it may."""
    parts = path.split("/")
    if "\0" in path:
        return "it has a NUL character"
    if path.startswith("/") or any(part in ("", ".", "..") for part in parts):
        return "it would leave the volume, or is ambiguous"
    if any(len(part.encode(errors="surrogatepass")) > MAX_NAME_BYTES for part in parts):
        return f"it has a name of more than {MAX_NAME_BYTES} bytes"
    if len(parts) > MAX_DEPTH:
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
    listing: Iterable[RemoteObject], prefix: str, manifest: Mapping[str, Record], local: Mapping[str, LocalFile]
) -> PullPlan:
    """What has to be copied so that the volume holds what is listed under the prefix.

    manifest, local: what an earlier try for the same attempt recorded and left, by path.
    """
    downloads: list[Download] = []
    directories: list[str] = []
    kept: list[str] = []
    refused: dict[str, str] = {}
    for remote in listing:
        path = remote.key.removeprefix(prefix)
        marker = path.endswith("/") or path == ""
        path = path.rstrip("/") if marker and remote.size == 0 else path
        if path == "":
            continue
        reason = refusal(path)
        if reason is not None:
            refused[remote.key] = reason
        elif marker:
            directories.append(path)
        elif (held := manifest.get(path)) and held.etag == remote.etag and held.describes(local.get(path)):
            kept.append(path)
        else:
            downloads.append(Download(path, remote))
    files = {download.path for download in downloads} | set(kept)
    return PullPlan(tuple(downloads), tuple(directories), tuple(kept), refused, _clash(files, directories))


def _clash(files: set[str], directories: Iterable[str]) -> tuple[str, str] | None:
    """Two paths of which one would have to be a file and a directory at once."""
    marked = set(directories)
    for path in sorted(files | marked):
        if path in files and path in marked:
            return path, f"{path}/"
        parents = path.split("/")[:-1]
        for depth in range(1, len(parents) + 1):
            parent = "/".join(parents[:depth])
            if parent in files:
                return parent, path
    return None


@dataclass(frozen=True)
class PushPlan:
    """What sync-out has to do: files to upload, those that equal their objects, and path -> why it cannot be pushed."""

    uploads: tuple[LocalFile, ...] = ()
    unchanged: tuple[LocalFile, ...] = ()
    unfit: dict[str, str] = field(default_factory=dict)


def plan_push(local: Iterable[LocalFile], prefix: str, manifest: Mapping[str, Record]) -> PushPlan:
    """What has to be copied so that every file of the volume is in the store, under the prefix."""
    uploads: list[LocalFile] = []
    unchanged: list[LocalFile] = []
    unfit: dict[str, str] = {}
    for file in local:
        held = manifest.get(file.path)
        if reason := unfit_as_key(prefix + file.path):
            unfit[file.path] = reason
        else:
            (unchanged if held is not None and held.describes(file) else uploads).append(file)
    return PushPlan(tuple(uploads), tuple(unchanged), unfit)
