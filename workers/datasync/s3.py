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
# Connections to one data store, shared by the copies of all volumes of this host.
CONNECTIONS = 64
MD5_ETAG = re.compile(r"[0-9a-f]{32}")


@lru_cache(maxsize=64)
def _client(store: DataStore) -> Any:
    """One client a data store for the whole process: making one takes 0.2 s, and they are safe to share."""
    return boto3.session.Session().client(
        "s3",
        endpoint_url=store.endpoint_url,
        region_name=store.region,
        aws_access_key_id=store.access_key_id.get_secret_value(),
        aws_secret_access_key=store.secret_access_key.get_secret_value(),
        config=Config(
            connect_timeout=5,
            read_timeout=60,
            retries={"mode": "standard", "max_attempts": 5},
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
        self._transfer = TransferConfig(multipart_threshold=SINGLE_PUT_BYTES, use_threads=False)

    def ensure(self, *, create: bool) -> None:
        """Checks that the container exists; makes it if it does not and `create` says so."""
        try:
            # A listing of one key: needs the same right as the copy, and its errors carry a code, unlike HEAD's.
            self._client.list_objects_v2(Bucket=self._name, MaxKeys=1)
        except ClientError as error:
            if error.response["Error"]["Code"] != "NoSuchBucket" or not create:
                raise
            self._client.create_bucket(Bucket=self._name)

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
        if self._is_md5(source.etag, answer) and digest.hexdigest() != source.etag:
            raise _altered(source.key, "its checksum is not that of the listing")

    def upload(self, file: IO[bytes], key: str) -> str:
        """Copies an open file to an object, verifies what the store then holds, and returns its ETag."""
        digest, size = hashlib.md5(usedforsecurity=False), 0
        for block in iter(lambda: file.read(READ_BYTES), b""):
            digest.update(block)
            size += len(block)
        file.seek(0)
        if size <= SINGLE_PUT_BYTES:
            self._client.put_object(
                Bucket=self._name, Key=key, Body=file, ContentMD5=base64.b64encode(digest.digest()).decode()
            )
        else:
            self._client.upload_fileobj(_Open(file), self._name, key, Config=self._transfer)
        held = self._client.head_object(Bucket=self._name, Key=key)
        etag: str = held["ETag"].strip('"')
        if held["ContentLength"] != size:
            raise _altered(key, f"the store holds {held['ContentLength']} bytes, {size} were sent")
        if self._is_md5(etag, held) and digest.hexdigest() != etag:
            raise _altered(key, "the store's checksum is not that of what was sent")
        return etag

    @staticmethod
    def _is_md5(etag: str, answer: dict[str, Any]) -> bool:
        # With a customer's or a managed key the ETag looks like an MD5 and is none.
        return bool(MD5_ETAG.fullmatch(etag)) and not str(answer.get("ServerSideEncryption", "")).startswith("aws:kms")


class _Open:
    """Lends a file to the transfer, which closes what it is given."""

    def __init__(self, file: IO[bytes]) -> None:
        self.read, self.seek, self.tell = file.read, file.seek, file.tell


def _altered(key: str, what: str) -> PlatformFault:
    return PlatformFault(
        EndCause.DATA_FAULT,
        InfoCode.DATASYNC_PROGRESS_FAILED_TRANSIENT_ERROR,
        f"the copy of {key!r} is not what was copied: {what}",
    )
