"""One container of an S3 data store: whether it can be used, and what it lists."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from functools import lru_cache
from http import HTTPStatus
from typing import Any
from xml.etree import ElementTree

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError
from obstore.store import S3Store

from aitrain.domain.errors import PlatformFault
from aitrain.domain.states import EndCause, InfoCode
from aitrain.settings import DataStore
from workers.datasync.plan import RemoteObject

EXISTS = {"BucketAlreadyOwnedByYou", "BucketAlreadyExists"}
# Connections to one data store, shared by the copies of all volumes of this host.
CONNECTIONS = 64
CONNECT_SECONDS = 5
READ_SECONDS = 60
ATTEMPTS = 5


@lru_cache(maxsize=64)
def _client(store: DataStore) -> Any:
    """One client a data store for the whole process: making one takes 0.2 s, and they are safe to share."""
    return connect(store, connect_seconds=CONNECT_SECONDS, read_seconds=READ_SECONDS, attempts=ATTEMPTS)


def connect(store: DataStore, *, connect_seconds: float, read_seconds: float, attempts: int) -> Any:
    """A client of a data store. attempts: how often a request is sent until it counts as failed."""
    client = boto3.session.Session().client(
        "s3",
        endpoint_url=store.endpoint_url,
        region_name=store.region,
        aws_access_key_id=store.access_key_id.get_secret_value(),
        aws_secret_access_key=store.secret_access_key.get_secret_value(),
        config=Config(
            connect_timeout=connect_seconds,
            read_timeout=read_seconds,
            # Pauses that grow, with jitter.
            retries={"mode": "standard", "max_attempts": attempts},
            max_pool_connections=CONNECTIONS,
            # Stores that are not Amazon's often do not know the newer trailing checksums.
            request_checksum_calculation="when_required",
            response_checksum_validation="when_required",
            s3={"addressing_style": "path"} if store.endpoint_url else None,
        ),
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
    if not (key_id and secret):
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
        self.name, self.client = container, _client(store)
        self.quick = _quick(store, container)

    def check(self, *, may_be_missing: bool) -> None:
        """Checks that the container answers; that it is not there is an error unless it may be."""
        try:
            # A listing of one key: needs the same right as the copy, and its errors carry a code, unlike HEAD's.
            self.client.list_objects_v2(Bucket=self.name, MaxKeys=1)
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
            self.check(may_be_missing=False)

    def listing(self, prefix: str) -> Iterator[list[RemoteObject]]:
        """Every object under the prefix, a page at a time."""
        pages = self.client.get_paginator("list_objects_v2").paginate(Bucket=self.name, Prefix=prefix)
        for page in pages:
            items = page.get("Contents", ())
            if any(not item["Key"].startswith(prefix) for item in items):
                raise altered(prefix, "the data store lists keys that do not begin with it")
            yield [
                RemoteObject(item["Key"][len(prefix) :], item["Size"], item["ETag"].strip('"'))
                for item in items
                if item["Key"] != prefix
            ]


def altered(key: str, what: str) -> PlatformFault:
    """A copy is not what was to be copied."""
    return PlatformFault(
        EndCause.DATA_FAULT,
        InfoCode.DATASYNC_PROGRESS_FAILED_TRANSIENT_ERROR,
        f"the copy of {key!r} is not what was copied: {what}",
    )
