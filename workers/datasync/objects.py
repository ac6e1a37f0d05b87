"""Single objects of a container, whole: for what is not a volume."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from botocore.exceptions import ClientError

from aitrain.domain.errors import PlatformFault
from aitrain.domain.states import EndCause, InfoCode
from aitrain.settings import DataStore
from workers.datasync.faults import data_errors
from workers.datasync.s3 import S3Container
from workers.datasync.small import SmallObjects

ABSENT = {"NoSuchKey", "NoSuchBucket", "404"}


class Objects:
    """Objects of one container. Every method raises PlatformFault or UserFault, as copies of volumes do."""

    def __init__(self, stores: Mapping[str, DataStore], alias: str, container: str) -> None:
        """alias: of the data store. Raises PlatformFault if there is none of it."""
        self._subject = f"{container}@{alias}"
        try:
            store = stores[alias]
        except KeyError:
            raise PlatformFault(
                EndCause.DATA_FAULT,
                InfoCode.DATASYNC_DATA_STORE_NOT_FOUND,
                f"there is no data store {alias!r}: add it to the settings, or to the project",
            ) from None
        with data_errors(self._subject):
            self._bucket = S3Container(store, container)
            self._small = SmallObjects(self._bucket, "", lambda: None)

    def read(self, key: str) -> bytes | None:
        """An object's content; None: it is not there."""
        with data_errors(self._subject):
            try:
                found = self._bucket.client.get_object(Bucket=self._bucket.name, Key=key)["Body"].read()
            except ClientError as error:
                if error.response["Error"]["Code"] in ABSENT:
                    return None
                raise
            return bytes(found)

    def ensure(self) -> None:
        """Makes the container if it is not there."""
        with data_errors(self._subject):
            self._bucket.ensure("", lambda: None)

    def write(self, key: str, content: bytes) -> None:
        """Writes an object, verified. The container is there: see ensure."""
        with data_errors(self._subject):
            self._small.put(key, content)

    def delete(self, keys: Iterable[str]) -> None:
        """Deletes objects; those that are gone are no error."""
        with data_errors(self._subject):
            for key in keys:
                self._bucket.client.delete_object(Bucket=self._bucket.name, Key=key)

    def delete_under(self, prefix: str) -> None:
        """Deletes every object whose key begins so. A container that is not there has none."""
        with data_errors(self._subject):
            try:
                for page in self._bucket.listing(prefix):
                    for found in page:
                        self._bucket.client.delete_object(Bucket=self._bucket.name, Key=prefix + found.path)
            except ClientError as error:
                if error.response["Error"]["Code"] not in ABSENT:
                    raise
