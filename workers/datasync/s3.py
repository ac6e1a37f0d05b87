"""One container of an S3 data store: whether it can be used, and what it lists."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from datetime import timedelta
from functools import lru_cache
from http import HTTPStatus
from typing import Any
from xml.etree import ElementTree

from botocore.exceptions import ClientError
from obstore.store import S3Store

from aitrain.buckets import connection
from aitrain.domain.errors import PlatformFault
from aitrain.domain.states import EndCause, InfoCode
from aitrain.settings import DataStore
from workers.datasync.entries import RemoteObject

EXISTS = {"BucketAlreadyOwnedByYou", "BucketAlreadyExists"}
# Connections to one data store, shared by the copies of all volumes of this host.
CONNECTIONS = 64
CONNECT_SECONDS = 5
READ_SECONDS = 60
# Some stores copy all parts of an object together before they answer.
COMPLETE_SECONDS = 900
ATTEMPTS = 5


@lru_cache(maxsize=64)
def _client(store: DataStore, read_seconds: float) -> Any:
    """One client a data store for the whole process: making one takes 0.2 s, and they are safe to share."""
    return connect(store, connect_seconds=CONNECT_SECONDS, read_seconds=read_seconds, attempts=ATTEMPTS)


def connect(store: DataStore, *, connect_seconds: float, read_seconds: float, attempts: int) -> Any:
    """A client of a data store. attempts: how often a request is sent until it counts as failed."""
    client = connection.connect(
        store, connect_seconds=connect_seconds, read_seconds=read_seconds, attempts=attempts, connections=CONNECTIONS
    )
    client.meta.events.register("before-parse.s3.ListObjectsV2", _read_contents)
    return client


def _read_contents(response_dict: dict[str, Any], customized_response_dict: dict[str, Any], **_: Any) -> None:
    """Reads the objects of a listing's page in botocore's stead, which takes 0.2 ms for each.

    The rest of the page stays for botocore, and so does what comes after: it decodes the keys.
    """
    if response_dict["status_code"] != HTTPStatus.OK:
        return
    try:
        # The same parser that botocore uses.
        page = ElementTree.fromstring(response_dict["body"])  # noqa: S314
        rest, read = [], []
        for item in page:
            if item.tag.rpartition("}")[2] != "Contents":
                rest.append(item)
                continue
            texts = {part.tag.rpartition("}")[2]: part.text or "" for part in item}
            read.append({"Key": texts["Key"], "Size": int(texts["Size"]), "ETag": texts["ETag"]})
    except (ElementTree.ParseError, KeyError, ValueError):
        return  # botocore says what is wrong with it
    if read:
        page[:] = rest
        response_dict["body"] = ElementTree.tostring(page)
        customized_response_dict["Contents"] = read


@lru_cache(maxsize=256)
def _quick(store: DataStore, container: str) -> S3Store | None:
    """The same container through a native client, which costs a tenth of the processor time for each request; None
    where only boto3 can find the keys.
    """
    key_id, secret = store.access_key_id.get_secret_value(), store.secret_access_key.get_secret_value()
    # It knows nothing of the authorities that boto3 is told to trust by this variable.
    private = "AWS_CA_BUNDLE" in os.environ and not (store.endpoint_url or "").startswith("http://")
    if not (key_id and secret) or private:
        return None
    return S3Store(
        container,
        endpoint=store.endpoint_url,
        region=store.region,
        access_key_id=key_id,
        secret_access_key=secret,
        virtual_hosted_style_request=False,
        client_options={
            "allow_http": True,
            "connect_timeout": timedelta(seconds=CONNECT_SECONDS),
            "timeout": timedelta(seconds=READ_SECONDS),
        },
        # What fails is asked again through boto3, which retries, and tells what the store said.
        retry_config={"max_retries": 0},
    )


class S3Container:
    """A bucket, as one data store's keys see it. Raises botocore's errors; callers wrap them (faults.data_errors)."""

    def __init__(self, store: DataStore, container: str) -> None:
        self.name, self._store = container, store
        self.client = _client(store, READ_SECONDS)
        self.quick = _quick(store, container)

    @property
    def slow_client(self) -> Any:
        """For the one request that may take long."""
        return _client(self._store, COMPLETE_SECONDS)

    def check(self, prefix: str, *, may_be_missing: bool) -> None:
        """Checks that the container answers; that it is not there is an error unless it may be."""
        try:
            # A listing of one key: needs the same right as the copy, and its errors carry a code, unlike HEAD's.
            self.client.list_objects_v2(Bucket=self.name, Prefix=prefix, MaxKeys=1)
        except ClientError as error:
            if not (may_be_missing and error.response["Error"]["Code"] == "NoSuchBucket"):
                raise

    def ensure(self, prefix: str, checkpoint: Callable[[], None]) -> None:
        """Makes the container if it is not there."""
        try:
            self.check(prefix, may_be_missing=False)
        except ClientError as error:
            if error.response["Error"]["Code"] != "NoSuchBucket":
                raise
            checkpoint()
            self._create(prefix)

    def _create(self, prefix: str) -> None:
        region, endpoint = self.client.meta.region_name, self.client.meta.endpoint_url
        # Amazon's own stores want the region of a container said, but for the first one.
        where: dict[str, Any] = {}
        if "amazonaws.com" in endpoint and region != "us-east-1":
            where = {"CreateBucketConfiguration": {"LocationConstraint": region}}
        try:
            self.client.create_bucket(Bucket=self.name, **where)
        except ClientError as error:
            if error.response["Error"]["Code"] not in EXISTS:
                raise
            # Another job made it at the same moment; were it somebody else's, this is refused.
            self.check(prefix, may_be_missing=False)

    def listing(self, prefix: str) -> Iterator[list[RemoteObject]]:
        """Every object under the prefix, a page at a time."""
        pages = self.client.get_paginator("list_objects_v2").paginate(Bucket=self.name, Prefix=prefix)
        try:
            for page in pages:
                yield [_remote(item, prefix) for item in page.get("Contents", ()) if item["Key"] != prefix]
                if page.get("IsTruncated") and not page.get("NextContinuationToken"):
                    raise unusable(f"the listing of {self.name!r} breaks off without a token to go on")
        except (KeyError, ValueError, TypeError) as error:
            raise unusable(f"the listing of {self.name!r} cannot be read ({type(error).__name__}: {error})") from error


def _remote(item: dict[str, Any], prefix: str) -> RemoteObject:
    key, etag = item["Key"], item["ETag"].strip('"')
    if not key.startswith(prefix) or not etag:
        raise ValueError(f"{key!r} does not begin with {prefix!r}" if etag else f"{key!r} has no ETag")
    return RemoteObject(key[len(prefix) :], int(item["Size"]), etag)


def unusable(what: str) -> PlatformFault:
    """The data store answers as none may."""
    return PlatformFault(EndCause.DATA_FAULT, InfoCode.DATASYNC_PROGRESS_FAILED_UNKNOWN_ERROR, what)


def altered(key: str, what: str) -> PlatformFault:
    """A copy is not what was to be copied."""
    return PlatformFault(
        EndCause.DATA_FAULT,
        InfoCode.DATASYNC_PROGRESS_FAILED_TRANSIENT_ERROR,
        f"the copy of {key!r} is not what was copied: {what}",
    )
