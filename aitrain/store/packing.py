"""Documents of some size as the store keeps them: compressed, and as text."""

from __future__ import annotations

import base64
import json
import zlib
from collections.abc import Mapping
from typing import Any


def packed(document: Mapping[str, Any]) -> str:
    """A document as a short text: of a listing of objects little more is left than their ETags."""
    return base64.b64encode(zlib.compress(json.dumps(document, separators=(",", ":")).encode(), 9)).decode()


def unpacked(text: str) -> Any:
    """The document again."""
    return json.loads(zlib.decompress(base64.b64decode(text)))
