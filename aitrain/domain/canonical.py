"""Canonical JSON: the one way to write a document down, so that its digest and its signature are of what it says.

It is RFC 8785 for what aitrain writes: no space, members sorted, UTF-8, whole numbers only. Amounts are texts.
"""

from __future__ import annotations

import hashlib
import json
from typing import Any


def canonical(document: Any) -> bytes:
    """The canonical form of a document of dicts, lists, texts, whole numbers, true, false and null.

    Raises TypeError for anything else, and ValueError for a text that is no Unicode.
    """
    _check(document)
    return json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def digest(document: Any) -> str:
    """The SHA-256 of the canonical form, in hex."""
    return hashlib.sha256(canonical(document)).hexdigest()


def _check(value: Any) -> None:
    if isinstance(value, dict):
        for name, member in value.items():
            # Python sorts names by code point and RFC 8785 by UTF-16; of ASCII both orders are one.
            if not isinstance(name, str) or not name.isascii():
                raise TypeError(f"the name of a member has to be an ASCII text, not {name!r}")
            _check(member)
    elif isinstance(value, list | tuple):
        for member in value:
            _check(member)
    elif not (value is None or isinstance(value, str | int)):  # a bool is an int
        raise TypeError(f"{type(value).__name__} has no canonical form")
