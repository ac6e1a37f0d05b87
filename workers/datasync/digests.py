"""MD5 sums, which object stores give as the ETag of an object: of its content, or of the sums of its parts."""

from __future__ import annotations

import base64
import hashlib
import os
import re
from collections.abc import Callable, Mapping
from typing import Any

READ_BYTES = 1024 * 1024
OF_CONTENT = re.compile(r"[0-9a-f]{32}")
OF_PARTS = re.compile(r"[0-9a-f]{32}-[0-9]+")


def md5(content: bytes | memoryview) -> bytes:
    """Of bytes in memory."""
    return hashlib.md5(content, usedforsecurity=False).digest()


def md5_of_range(descriptor: int, start: int, size: int, checkpoint: Callable[[], None]) -> tuple[bytes, int]:
    """Of a part of an open file, and how many bytes of it there were."""
    digest, done = hashlib.md5(usedforsecurity=False), 0
    while done < size and (block := os.pread(descriptor, min(READ_BYTES, size - done), start + done)):
        checkpoint()
        digest.update(block)
        done += len(block)
    return digest.digest(), done


def header(digest: bytes) -> str:
    """As the header Content-MD5 has it."""
    return base64.b64encode(digest).decode()


def etag_of_parts(digests: list[bytes]) -> str:
    """The ETag of an object that was sent in parts."""
    return f"{md5(b''.join(digests)).hex()}-{len(digests)}"


def is_digest(etag: str, answer: Mapping[str, Any]) -> bool:
    """Whether an ETag is the MD5 of the content. With a customer's or a managed key it looks like one and is none."""
    managed = str(answer.get("ServerSideEncryption", "")).startswith("aws:kms")
    return bool(OF_CONTENT.fullmatch(etag)) and not managed and "SSECustomerAlgorithm" not in answer
