"""Objects that go in one request. A native client moves them; what it cannot do, boto3 does.

boto3 spends about 3 ms of processor time on each request, most of it under the interpreter's lock: a hundred thousand
small files would wait for that, not for the network. The native client knows no errors of S3 and refuses keys with
control characters, so whatever it fails at is done again by boto3, and what that says is what counts.
"""

from __future__ import annotations

import io
import logging
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import obstore
from botocore.exceptions import ClientError
from obstore.exceptions import BaseError

from aitrain.domain.errors import PlatformFault
from workers.datasync import digests
from workers.datasync.entries import RemoteObject
from workers.datasync.faults import NO_OBJECT
from workers.datasync.s3 import S3Container, altered

log = logging.getLogger(__name__)

# Up to here a content is in the socket's buffer at once, and nobody could hold it back. The native client's larger
# requests could not be ended when the job moves on; those of boto3 ask at each block.
QUICK_PUT_BYTES = 1024 * 1024
# What the native client fails with, beside its own errors: keys it cannot take, objects that are not there.
NOT_QUICK = (BaseError, ValueError, OSError)


class Watched(io.BytesIO):
    """A request's body. Each read is a point at which the copy may end: the SDK sends a request again for minutes, and
    a worker that has lost its job meanwhile must not overwrite what a newer attempt has written.
    """

    def __init__(self, content: bytes, checkpoint: Callable[[], None]) -> None:
        super().__init__(content)
        self._checkpoint = checkpoint

    def read(self, *arguments: Any) -> bytes:
        """Reads on."""
        self._checkpoint()
        return super().read(*arguments)


class SmallObjects:
    """Copies of a container's small objects, verified."""

    def __init__(self, container: S3Container, prefix: str, checkpoint: Callable[[], None]) -> None:
        """checkpoint: called before each request that changes something there; what it raises ends the copy."""
        self._container, self._prefix, self._checkpoint = container, prefix, checkpoint
        # Whether ETags turned out to look like MD5 and to be none: then sizes are all that can be compared.
        self._opaque = False

    def get(self, source: RemoteObject) -> bytes:
        """An object's content: of the listed size, and with the listed checksum where the ETag is one."""
        content = self._get_quick(source)
        if content is not None and self._is_as_listed(source, content):
            return content
        return self._get(source)

    def _get_quick(self, source: RemoteObject) -> bytes | None:
        if self._container.quick is None:
            return None
        try:
            answer = obstore.get(self._container.quick, self._prefix + source.path)
            if (answer.meta["e_tag"] or "").strip('"') != source.etag or answer.meta["size"] != source.size:
                return None
            return answer.bytes().to_bytes()
        except NOT_QUICK as error:
            log.debug("%r by boto3: %s", source.path, error)
            return None

    def _is_as_listed(self, source: RemoteObject, content: bytes) -> bool:
        if len(content) != source.size:
            return False
        return (
            self._opaque or not digests.OF_CONTENT.fullmatch(source.etag) or digests.md5(content).hex() == source.etag
        )

    def _get(self, source: RemoteObject) -> bytes:
        key = self._prefix + source.path
        answer = self._container.client.get_object(Bucket=self._container.name, Key=key, IfMatch=f'"{source.etag}"')
        if (etag := answer["ETag"].strip('"')) != source.etag:
            raise altered(key, f"its ETag is {etag}, the listing said {source.etag}: it was replaced meanwhile")
        # No more than was listed, and one byte to notice that there is more.
        content: bytes = answer["Body"].read(source.size + 1)
        if len(content) != source.size or answer.get("ContentLength", source.size) != source.size:
            raise altered(key, f"{len(content)} bytes or more arrived, the listing said {source.size}")
        if not digests.is_digest(source.etag, answer):
            self._opaque = True
        elif digests.md5(content).hex() != source.etag:
            raise altered(key, "its checksum is not that of the listing")
        return content

    def put(self, path: str, content: bytes) -> str:
        """Writes an object, checks that the store holds what was sent, and returns its ETag."""
        key, digest = self._prefix + path, digests.md5(content)
        if self._container.quick is not None and len(content) <= QUICK_PUT_BYTES:
            try:
                answer = obstore.put(self._container.quick, key, content, use_multipart=False)
            except NOT_QUICK as error:
                log.debug("%r by boto3: %s", path, error)
            else:
                if (answer["e_tag"] or "").strip('"') == digest.hex():
                    return digest.hex()
                # Any other ETag may be that of an encrypted object, or of another content: boto3 can tell.
                with suppress(PlatformFault, ClientError):
                    return self._verified(key, content, digest)
        return self._put(key, content, digest)

    def _put(self, key: str, content: bytes, digest: bytes) -> str:
        client, name = self._container.client, self._container.name
        body = Watched(content, self._checkpoint)
        client.put_object(Bucket=name, Key=key, Body=body, ContentMD5=digests.header(digest))
        return self._verified(key, content, digest)

    def _verified(self, key: str, content: bytes, digest: bytes) -> str:
        client, name = self._container.client, self._container.name
        held = client.head_object(Bucket=name, Key=key)
        etag: str = held["ETag"].strip('"')
        if held["ContentLength"] != len(content):
            raise altered(key, f"the store holds {held['ContentLength']} bytes, {len(content)} were sent")
        if digests.is_digest(etag, held) and etag != digest.hex():
            raise altered(key, "the store's checksum is not that of what was sent")
        return etag

    def delete(self, path: str, etag: str) -> bool:
        """Deletes an object if it is still the one with this ETag; False if it is another one by now."""
        client, name, key = self._container.client, self._container.name, self._prefix + path
        try:
            held = client.head_object(Bucket=name, Key=key)
        except ClientError as error:
            if error.response["Error"]["Code"] in NO_OBJECT:
                return True
            raise
        if held["ETag"].strip('"') != etag:
            return False
        self._checkpoint()
        client.delete_object(Bucket=name, Key=key)
        return True
