"""Listings: what a volume was filled with and what was pushed from it, object by object, of bounded size. Pure."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import Any

from aitrain.domain.canonical import canonical

LINE_END = b"\n"
# Keys may have a kilobyte each. What is listed is kept in memory, and must not grow with what a job makes up.
KEY_BYTES = 128


def list_objects(objects: Iterable[tuple[str, int, str]], most: int) -> dict[str, Any]:
    """A listing of objects, given as (key, size in bytes, ETag) in the order of the bytes of their keys.

    count and bytes: of all of them; sha256: over a line [key,size,etag] in canonical JSON for each of them; objects:
    the first `most`, or fewer where their keys are longer than 128 bytes on average. It takes the memory of those,
    however many there are.
    """
    count, size_of_all, sha256, first = 0, 0, hashlib.sha256(), list[list[str | int]]()
    room = most * KEY_BYTES
    for key, size, etag in objects:
        count, size_of_all = count + 1, size_of_all + size
        sha256.update(canonical([key, size, etag]) + LINE_END)
        room -= len(key.encode()) if count <= most else 0
        if count <= most and room >= 0:
            first.append([key, size, etag])
    return {"count": count, "bytes": size_of_all, "sha256": sha256.hexdigest(), "objects": first}
