"""Objects that go in parts, many at once: ranged reads into a file, and multipart uploads. Either goes on where it was
cut off.
"""

from __future__ import annotations

import fcntl
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError

from workers.datasync import digests
from workers.datasync.digests import READ_BYTES, etag_of_parts, is_digest, md5_of_range
from workers.datasync.entries import LocalFile, RemoteObject
from workers.datasync.faults import FORBIDDEN, NO_OBJECT
from workers.datasync.s3 import S3Container, altered

MIB = 1024**2
# S3's own limits: no more parts of an object, and no smaller ones but for the last.
MOST_PARTS = 10_000
# What a store says of an upload that is over, or was given up.
GONE = {"NoSuchUpload", "404"}


def part_bytes(size: int, least: int) -> int:
    """How large the parts of an object are, so that there are not too many of them."""
    needed = -(-size // MOST_PARTS)
    return least if needed <= least else -(-needed // MIB) * MIB


def ranges(size: int, part: int) -> list[tuple[int, int, int]]:
    """Number (from 1), start and size of each part."""
    return [(at // part + 1, at, min(part, size - at)) for at in range(0, size, part)]


class LargeDownload:
    """One object on its way into a file. Its parts may be fetched by several threads."""

    def __init__(
        self,
        container: S3Container,
        prefix: str,
        source: RemoteObject,
        file: Path,
        *,
        keep: bool,
        checkpoint: Callable[[], None],
    ) -> None:
        """file: to write to; keep: it holds parts of an earlier try."""
        self._container, self._key, self._source = container, prefix + source.path, source
        self.path, self._checkpoint = file, checkpoint
        self._descriptor = os.open(file, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o644)
        # Tells whoever clears up after killed workers that somebody is at work here.
        with suppress(BlockingIOError):
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if not keep:
            os.ftruncate(self._descriptor, 0)

    def fetch(self, start: int, size: int) -> None:
        """Fetches one part."""
        answer = self._container.client.get_object(
            Bucket=self._container.name, Key=self._key, IfMatch=f'"{self._source.etag}"',
            Range=f"bytes={start}-{start + size - 1}",
        )  # fmt: skip
        # Some servers ignore If-Match, and some answer 200 to a range: what they say of the content decides.
        if (etag := answer["ETag"].strip('"')) != self._source.etag:
            raise altered(self._key, f"its ETag is {etag}, the listing said {self._source.etag}: it was replaced")
        if answer["ContentLength"] != size:
            raise altered(self._key, f"{answer['ContentLength']} bytes were offered for a range of {size}")
        done = 0
        for block in answer["Body"].iter_chunks(READ_BYTES):
            self._checkpoint()
            os.pwrite(self._descriptor, block, start + done)
            done += len(block)
        if done != size:
            raise altered(self._key, f"{done} bytes of a range of {size} arrived")

    def verify(self) -> None:
        """Checks the whole file. Its MD5 is known unless the object was itself sent in parts, or is encrypted."""
        size = os.fstat(self._descriptor).st_size
        if size != self._source.size:
            raise altered(self._key, f"{size} bytes arrived, the listing said {self._source.size}")
        if not digests.OF_CONTENT.fullmatch(self._source.etag):
            return
        digest, _ = md5_of_range(self._descriptor, 0, size, self._checkpoint)
        if digest.hex() != self._source.etag:
            held = self._container.client.head_object(Bucket=self._container.name, Key=self._key)
            if is_digest(self._source.etag, held):
                raise altered(self._key, "its checksum is not that of the listing")

    def close(self) -> None:
        """Closes the file."""
        os.close(self._descriptor)


class LargeUpload:
    """One open file on its way to an object. Its parts may be sent by several threads."""

    def __init__(
        self,
        container: S3Container,
        key: str,
        descriptor: int,
        file: LocalFile,
        *,
        upload_id: str,
        checkpoint: Callable[[], None],
    ) -> None:
        """file: as it was when opened, no more of it is sent; upload_id: of an earlier try of the same file, if any."""
        self._container, self._key, self._descriptor, self._file = container, key, descriptor, file
        self._checkpoint = checkpoint
        self._lock = threading.Lock()
        self._sent: dict[int, tuple[bytes, str]] = {}
        self._there: dict[int, tuple[str, int]] = {}
        self.upload_id = upload_id if upload_id and self._find(upload_id) else self._begin()

    def _begin(self) -> str:
        answer = self._container.client.create_multipart_upload(Bucket=self._container.name, Key=self._key)
        return str(answer["UploadId"])

    def _find(self, upload_id: str) -> bool:
        """What an earlier try sent; False if the store does not know of it any more."""
        pages = self._container.client.get_paginator("list_parts")
        try:
            for page in pages.paginate(Bucket=self._container.name, Key=self._key, UploadId=upload_id):
                for held in page.get("Parts", ()):
                    self._there[held["PartNumber"]] = held["ETag"].strip('"'), held["Size"]
        except ClientError as error:
            code = error.response["Error"]["Code"]
            if code in GONE:
                return False
            if code not in FORBIDDEN:
                raise
            # It may be written to, though not be looked at: what was sent is sent again.
            self._there.clear()
        return True

    def send(self, number: int, start: int, size: int) -> None:
        """Sends one part, unless the store has it already."""
        digest, found = md5_of_range(self._descriptor, start, size, self._checkpoint)
        if found != size:
            raise altered(self._key, "the file became shorter while it was read")
        etag = digest.hex()
        if self._there.get(number) != (etag, size):
            answer = self._container.client.upload_part(
                Bucket=self._container.name, Key=self._key, UploadId=self.upload_id, PartNumber=number,
                Body=_Section(self._descriptor, start, size, self._checkpoint), ContentMD5=digests.header(digest),
            )  # fmt: skip
            etag = answer["ETag"].strip('"')
            if etag != digest.hex() and is_digest(etag, answer):
                raise altered(self._key, "the store's checksum of a part is not that of what was sent")
        with self._lock:
            self._sent[number] = digest, etag

    def complete(self) -> str:
        """Makes the parts one object, checks it, and returns its ETag."""
        client, name = self._container.client, self._container.name
        self._checkpoint()
        listed = [{"PartNumber": number, "ETag": f'"{etag}"'} for number, (_, etag) in sorted(self._sent.items())]
        try:
            self._container.slow_client.complete_multipart_upload(
                Bucket=name, Key=self._key, UploadId=self.upload_id, MultipartUpload={"Parts": listed}
            )
        except ClientError as error:
            # The answer to the first request may have been lost, and the second found it done.
            if error.response["Error"]["Code"] not in GONE:
                raise
        try:
            held = client.head_object(Bucket=name, Key=self._key)
        except ClientError as error:
            if error.response["Error"]["Code"] in NO_OBJECT:
                raise altered(self._key, "the store has given its upload up") from None
            raise
        etag: str = held["ETag"].strip('"')
        if held["ContentLength"] != self._file.size:
            raise altered(self._key, f"the store holds {held['ContentLength']} bytes, {self._file.size} were sent")
        expected = etag_of_parts([digest for _, (digest, _) in sorted(self._sent.items())])
        if digests.OF_PARTS.fullmatch(etag) and self._is_plain(held) and etag != expected:
            raise altered(self._key, "the store's checksum of its parts is not that of what was sent")
        return etag

    @staticmethod
    def _is_plain(held: dict[str, Any]) -> bool:
        return is_digest("0" * 32, held)

    def abort(self) -> None:
        """Gives it up, so that the store does not keep its parts for ever."""
        with suppress(Exception):
            self._container.client.abort_multipart_upload(
                Bucket=self._container.name, Key=self._key, UploadId=self.upload_id
            )


class _Section:
    """A part of an open file as a request's body. Each read is a point at which the copy may end: a worker that was
    frozen in the middle and has lost its job does not send the rest.
    """

    def __init__(self, descriptor: int, start: int, size: int, checkpoint: Callable[[], None]) -> None:
        self._descriptor, self._start, self._size, self._checkpoint = descriptor, start, size, checkpoint
        self._at = 0

    def read(self, size: int = -1) -> bytes:
        """Reads on."""
        self._checkpoint()
        left = self._size - self._at
        block = os.pread(self._descriptor, left if size < 0 else min(size, left), self._start + self._at)
        self._at += len(block)
        return block

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Moves; requests go back to the beginning to be sent again, and to the end to learn the size."""
        base = {os.SEEK_SET: 0, os.SEEK_CUR: self._at, os.SEEK_END: self._size}[whence]
        self._at = max(0, min(self._size, base + offset))
        return self._at

    def tell(self) -> int:
        """Where it is."""
        return self._at

    def __len__(self) -> int:
        return self._size

    def __iter__(self) -> Iterator[bytes]:
        while block := self.read(READ_BYTES):
            yield block
