"""Parts of logs in an object store."""

from __future__ import annotations

from collections.abc import Iterable

from aitrain.settings import DataStore
from workers.datasync.faults import data_errors
from workers.datasync.s3 import S3Container
from workers.datasync.small import SmallObjects


class LogObjects:
    """The container where logs are kept. Raises UserFault and PlatformFault as copies do."""

    def __init__(self, store: DataStore, container: str) -> None:
        self._name = f"logs in {container!r}"
        with data_errors(self._name):
            self._container = S3Container(store, container)
            self._objects = SmallObjects(self._container, "", lambda: None)

    def put(self, key: str, content: bytes) -> None:
        """Writes an object, verified; makes the container if it is not there."""
        with data_errors(self._name):
            self._container.ensure("", lambda: None)
            self._objects.put(key, content)

    def delete(self, keys: Iterable[str]) -> None:
        """Deletes objects; those that are gone are no error."""
        with data_errors(self._name):
            for key in keys:
                self._container.client.delete_object(Bucket=self._container.name, Key=key)
