"""One container of an S3 data store: listing, and copies that are verified."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Callable, Iterator
from functools import lru_cache
from pathlib import Path
from typing import IO, Any

import boto3
from boto3.s3.transfer import TransferConfig
from botocore.config import Config
from botocore.exceptions import ClientError

from aitrain.domain.errors import PlatformFault
from aitrain.domain.states import EndCause, InfoCode
from aitrain.settings import DataStore
from workers.datasync.plan import RemoteObject

MIB = 1024**2
# Up to here an object goes in one request, whose ETag is the MD5 of its content on most stores.
SINGLE_PUT_BYTES = 16 * MIB
READ_BYTES = MIB
EXISTS = {"BucketAlreadyOwnedByYou", "BucketAlreadyExists"}
# Connections to one data store, shared by the copies of all volumes of this host.
CONNECTIONS = 64
PART_BYTES = 16 * MIB
MD5_ETAG = re.compile(r"[0-9a-f]{32}")
PARTS_ETAG = re.compile(r"[0-9a-f]{32}-[0-9]+")


@lru_cache(maxsize=64)
def _client(store: DataStore) -> Any:
    """One client a data store for the whole process: making one takes 0.2 s, and they are safe to share."""
    return connect(store, connect_seconds=5, read_seconds=60, attempts=5)


def connect(store: DataStore, *, connect_seconds: float, read_seconds: float, attempts: int) -> Any:
    """A client of a data store. attempts: how often a request is sent until it counts as failed."""
    return boto3.session.Session().client(
        "s3",
        endpoint_url=store.endpoint_url,
        region_name=store.region,
        aws_access_key_id=store.access_key_id.get_secret_value(),
        aws_secret_access_key=store.secret_access_key.get_secret_value(),
        config=Config(
            connect_timeout=connect_seconds,
            read_timeout=read_seconds,
            retries={"mode": "standard", "max_attempts": attempts},
            max_pool_connections=CONNECTIONS,
            # Stores that are not Amazon's often do not know the newer trailing checksums.
            request_checksum_calculation="when_required",
            response_checksum_validation="when_required",
            s3={"addressing_style": "path"} if store.endpoint_url else None,
        ),
    )


class S3Container:
    """A bucket, as one data store's keys see it. Raises botocore's errors; callers wrap them (faults.data_errors)."""

    def __init__(self, store: DataStore, container: str) -> None:
        self._name, self._client = container, _client(store)
        self._transfer = TransferConfig(
            multipart_threshold=SINGLE_PUT_BYTES + 1, multipart_chunksize=PART_BYTES, use_threads=False
        )

    def check(self, *, may_be_missing: bool) -> None:
        """Checks that the container answers; that it is not there is an error unless it may be."""
        try:
            # A listing of one key: needs the same right as the copy, and its errors carry a code, unlike HEAD's.
            self._client.list_objects_v2(Bucket=self._name, MaxKeys=1)
        except ClientError as error:
            if not (may_be_missing and error.response["Error"]["Code"] == "NoSuchBucket"):
                raise

    def ensure(self) -> None:
        """Makes the container if it is not there."""
        try:
            self.check(may_be_missing=False)
        except ClientError as error:
            if error.response["Error"]["Code"] != "NoSuchBucket":
                raise
            self._create()

    def _create(self) -> None:
        region, endpoint = self._client.meta.region_name, self._client.meta.endpoint_url
        # Amazon's own stores want the region of a container said, but for the first one.
        where: dict[str, Any] = {}
        if "amazonaws.com" in endpoint and region != "us-east-1":
            where = {"CreateBucketConfiguration": {"LocationConstraint": region}}
        try:
            self._client.create_bucket(Bucket=self._name, **where)
        except ClientError as error:
            if error.response["Error"]["Code"] not in EXISTS:
                raise
            # Another job made it at the same moment; were it somebody else's, this is refused.
            self.check(may_be_missing=False)

    def listing(self, prefix: str) -> Iterator[RemoteObject]:
        """Every object under the prefix, page by page."""
        pages = self._client.get_paginator("list_objects_v2").paginate(Bucket=self._name, Prefix=prefix)
        for page in pages:
            for item in page.get("Contents", ()):
                yield RemoteObject(item["Key"], item["Size"], item["ETag"].strip('"'))

    def download(self, source: RemoteObject, to: Path, checkpoint: Callable[[], None]) -> None:
        """Copies an object to a file and verifies its size and, where the ETag is one, its MD5.

        checkpoint: called between blocks; what it raises ends the copy.
        """
        answer = self._client.get_object(Bucket=self._name, Key=source.key, IfMatch=f'"{source.etag}"')
        digest, size = hashlib.md5(usedforsecurity=False), 0
        with to.open("wb") as file:
            for block in answer["Body"].iter_chunks(READ_BYTES):
                checkpoint()
                file.write(block)
                digest.update(block)
                size += len(block)
        if size != source.size:
            raise _altered(source.key, f"{size} bytes arrived, the listing said {source.size}")
        if self._is_digest(answer) and MD5_ETAG.fullmatch(source.etag) and digest.hexdigest() != source.etag:
            raise _altered(source.key, "its checksum is not that of the listing")

    def upload(self, file: IO[bytes], key: str, checkpoint: Callable[[], None]) -> str:
        """Copies an open file to an object, verifies what the store then holds, and returns its ETag.

        checkpoint: called between blocks; what it raises ends the copy.
        """
        digests = _Digests()
        for block in iter(lambda: file.read(READ_BYTES), b""):
            checkpoint()
            digests.add(block)
        file.seek(0)
        if digests.size <= SINGLE_PUT_BYTES:
            body = _Lent(file, checkpoint)
            self._client.put_object(Bucket=self._name, Key=key, Body=body, ContentMD5=digests.base64())
        else:
            self._client.upload_fileobj(_Lent(file, checkpoint), self._name, key, Config=self._transfer)
        held = self._client.head_object(Bucket=self._name, Key=key)
        etag: str = held["ETag"].strip('"')
        if held["ContentLength"] != digests.size:
            raise _altered(key, f"the store holds {held['ContentLength']} bytes, {digests.size} were sent")
        if self._is_digest(held):
            in_parts = PARTS_ETAG.fullmatch(etag) is not None and etag.endswith(f"-{digests.count}")
            if MD5_ETAG.fullmatch(etag) and etag != digests.whole():
                raise _altered(key, "the store's checksum is not that of what was sent")
            if in_parts and etag != digests.of_parts():
                raise _altered(key, "the store's checksum of its parts is not that of what was sent")
        return etag

    @staticmethod
    def _is_digest(answer: dict[str, Any]) -> bool:
        # With a customer's or a managed key the ETag looks like an MD5 and is none.
        managed = str(answer.get("ServerSideEncryption", "")).startswith("aws:kms")
        return not managed and "SSECustomerAlgorithm" not in answer


class _Digests:
    """MD5 of a file as a whole and of its parts, which make the ETag of an object that was sent in parts."""

    def __init__(self) -> None:
        self.size = 0
        self._whole = hashlib.md5(usedforsecurity=False)
        self._parts: list[bytes] = []
        self._part = hashlib.md5(usedforsecurity=False)

    def add(self, block: bytes) -> None:
        """Takes the next block; READ_BYTES divide PART_BYTES, so that a part ends with a block."""
        self._whole.update(block)
        self._part.update(block)
        self.size += len(block)
        if self.size % PART_BYTES == 0:
            self._end_part()

    def _end_part(self) -> None:
        self._parts.append(self._part.digest())
        self._part = hashlib.md5(usedforsecurity=False)

    @property
    def count(self) -> int:
        """Parts that the file is sent in."""
        return -(-self.size // PART_BYTES)

    def whole(self) -> str:
        """The ETag of an object sent in one piece."""
        return self._whole.hexdigest()

    def base64(self) -> str:
        """The same for the header Content-MD5, which the store checks."""
        return base64.b64encode(self._whole.digest()).decode()

    def of_parts(self) -> str:
        """The ETag of an object sent in parts."""
        if len(self._parts) < self.count:
            self._end_part()
        return f"{hashlib.md5(b''.join(self._parts), usedforsecurity=False).hexdigest()}-{len(self._parts)}"


class _Lent:
    """Lends a file to a request or a transfer, which closes what it is given.

    Each read is a point at which the copy may end: a worker that was frozen in the middle and has lost its job does not
    send the rest.
    """

    def __init__(self, file: IO[bytes], checkpoint: Callable[[], None]) -> None:
        self._file, self._checkpoint = file, checkpoint
        self.seek, self.tell = file.seek, file.tell

    def read(self, size: int = -1) -> bytes:
        """Reads on."""
        self._checkpoint()
        return self._file.read(size)


def _altered(key: str, what: str) -> PlatformFault:
    return PlatformFault(
        EndCause.DATA_FAULT,
        InfoCode.DATASYNC_PROGRESS_FAILED_TRANSIENT_ERROR,
        f"the copy of {key!r} is not what was copied: {what}",
    )
