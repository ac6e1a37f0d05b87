"""Containers of data stores, and the objects in them."""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from aitrain.buckets.connection import connect
from aitrain.buckets.faults import told
from aitrain.buckets.places import Place, refusal, unfit
from aitrain.buckets.transfers import PARALLEL, UNWATCHED, Moves, ObjectDone, TransferWatch, doubled, each, found_files
from aitrain.domain.errors import BucketNotFound, DataStoreNotFound, InvalidInput
from aitrain.sealing import opened_data_store
from aitrain.settings import DataStore, Settings
from aitrain.store import Store
from aitrain.vault import Vault

CONNECT_SECONDS = 5
READ_SECONDS = 60
ATTEMPTS = 3


@dataclass(frozen=True)
class StoredObject:
    """An object: its key, and its size in bytes."""

    key: str
    size: int


class Buckets:
    """What a client does with containers and objects. Safe to share between threads.

    The project's own data store of an alias wins over the site's. Every method raises InvalidInput, DataStoreNotFound,
    SecretUnreadable (a project's own, and no key_file here), BucketRefused, BucketNotFound and BucketUnavailable.
    What is done to many objects goes on after one that failed, and the answer says what became of each. watch: told
    meanwhile; dry_run: only look, and answer what would become of each.
    """

    def __init__(self, settings: Settings, store: Store) -> None:
        self._ca_file = settings.ca_of_data_stores
        self._site, self._store, self._key_file = settings.data_stores, store, settings.secrets.key_file

    def list(self, alias: str, project: str = "default") -> Sequence[str]:
        """The names of the containers of a data store."""
        with told(f"the containers of {alias}"):
            return [one["Name"] for one in self._client(alias, project).list_buckets()["Buckets"]]

    def create(self, place: str, project: str = "default") -> None:
        """Makes a container, "container@alias"."""
        where = _whole(place)
        with told(str(where)):
            self._client(where.alias, project).create_bucket(Bucket=where.container)

    def delete(self, place: str, project: str = "default") -> None:
        """Deletes an empty container."""
        where = _whole(place)
        with told(str(where)):
            self._client(where.alias, project).delete_bucket(Bucket=where.container)

    def objects(self, place: str, project: str = "default") -> Iterator[StoredObject]:
        """The objects in a container, or those whose key begins as the place says."""
        where = Place.parse(place)
        with told(str(where)):
            pages = self._client(where.alias, project).get_paginator("list_objects_v2")
            for page in pages.paginate(Bucket=where.container, Prefix=where.key):
                for one in page.get("Contents", ()):
                    yield StoredObject(one["Key"], one["Size"])

    def upload(
        self,
        place: str,
        files: Iterable[Path | str],
        project: str = "default",
        *,
        watch: TransferWatch = UNWATCHED,
        dry_run: bool = False,
    ) -> Sequence[ObjectDone]:
        """Uploads files, and directories with all that is in them, under a prefix. Symbolic links are not followed.

        A directory keeps its name unless it is given, as text, with a slash at its end.
        """
        where = Place.parse(place)
        if isinstance(files, str | Path):  # letter by letter, "/" is what a path most often begins with
            raise InvalidInput.of("files", files, "is one path", "give a list of paths")
        client = self._client(where.alias, project)
        found = found_files(files)
        others = doubled((one, one[1]) for one in found)

        def put(one: tuple[Path, str], moves: Moves) -> None:
            path, name = one
            if (why := unfit(name)) is None and one in others:
                why = f"{others[one][0]} has its key already; upload it under another prefix"
            if why is None and path.is_dir():
                why = "the directory cannot be read"
            elif why is None and path.exists() and not path.is_file():
                why = "it is no plain file"
            if why is not None:
                raise InvalidInput.of("file", path, "cannot be uploaded", why)
            if dry_run:
                path.open("rb").close()
            else:
                client.upload_file(str(path), where.container, where.folder + name, Callback=moves)

        def planned(one: tuple[Path, str]) -> ObjectDone:
            path, _ = one
            return ObjectDone(str(path), path.stat().st_size if os.path.isfile(path) else 0)  # noqa: PTH113 - never raises

        return each(put, found, planned, watch)

    def download(
        self,
        place: str,
        directory: Path | str,
        project: str = "default",
        *,
        watch: TransferWatch = UNWATCHED,
        dry_run: bool = False,
    ) -> Sequence[ObjectDone]:
        """Downloads an object, or all under a prefix, into a directory. Each file lands whole or not at all.

        A key that would lead out of the directory, or cannot be a file, is refused, and the others are downloaded.
        Raises BucketNotFound if there is none.
        """
        where, root = Place.parse(place), Path(directory)
        client = self._client(where.alias, project)
        # A key that ends with a slash marks a directory, and directories come with their files.
        found = [one for one in self._under(where, project) if not one.key.endswith("/")]
        names = {one.key: _relative(where, one.key) for one in found}
        others = set(names.values())
        double = doubled(names.items())

        def get(one: StoredObject, moves: Moves) -> None:
            name = names[one.key]
            why = refusal(name, others)
            if why is None and one.key in double:
                why = f"it would be the file of {double[one.key]!r}; download it by its own key"
            if why is not None:
                raise InvalidInput.of("key", one.key, "cannot be downloaded", why)
            target = root / name
            if not target.parent.resolve().is_relative_to(root.resolve()):
                raise InvalidInput.of("key", one.key, "cannot be downloaded", "a link leads out of the directory")
            if dry_run:
                return
            target.parent.mkdir(parents=True, exist_ok=True)
            partial = target.parent / f".aitrain-{uuid.uuid4().hex}"
            try:
                client.download_file(where.container, one.key, str(partial), Callback=moves)
                os.replace(partial, target)  # noqa: PTH105 - a file only, never into a directory
            finally:
                partial.unlink(missing_ok=True)

        return each(get, found, _planned, watch)

    def remove(
        self, place: str, project: str = "default", *, watch: TransferWatch = UNWATCHED, dry_run: bool = False
    ) -> Sequence[ObjectDone]:
        """Deletes an object, or all under a prefix. Raises BucketNotFound if there is none."""
        where = Place.parse(place)
        client = self._client(where.alias, project)

        def drop(one: StoredObject, _: Moves) -> None:
            if not dry_run:
                client.delete_object(Bucket=where.container, Key=one.key)

        return each(drop, self._under(where, project), _planned, watch)

    def copy(
        self,
        source: str,
        place: str,
        project: str = "default",
        *,
        watch: TransferWatch = UNWATCHED,
        dry_run: bool = False,
    ) -> Sequence[ObjectDone]:
        """Copies an object, or all under a prefix, under another prefix of the same data store.

        The objects do not pass this machine. Raises BucketNotFound if there is none.
        """
        old, new = Place.parse(source), Place.parse(place)
        if old.alias != new.alias:
            raise InvalidInput.of("place", place, "is in another data store", "download the objects, and upload them")
        client = self._client(old.alias, project)

        found = self._under(old, project)
        double = doubled((one.key, _relative(old, one.key)) for one in found)

        def copy(one: StoredObject, moves: Moves) -> None:
            if one.key in double:
                remedy = "copy it by its own key, under another prefix"
                raise InvalidInput.of("key", one.key, f"would be the copy of {double[one.key]!r}", remedy)
            origin = {"Bucket": old.container, "Key": one.key}
            if not dry_run:
                client.copy(origin, new.container, new.folder + _relative(old, one.key), Callback=moves)

        return each(copy, found, _planned, watch)

    def _under(self, where: Place, project: str) -> Sequence[StoredObject]:
        """The object of this key, or all in the folder of this name."""
        found = [
            one for one in self.objects(str(where), project) if one.key == where.key or one.key.startswith(where.folder)
        ]
        if not found:
            raise BucketNotFound(f"{where}: there is no object of this key or under this prefix")
        return [one for one in found if one.key != where.folder or not where.folder]

    def _client(self, alias: str, project: str) -> Any:
        store = self._data_store(alias, project)
        try:
            return connect(
                store, connect_seconds=CONNECT_SECONDS, read_seconds=READ_SECONDS, attempts=ATTEMPTS,
                connections=4 * PARALLEL, ca_file=self._ca_file,
            )  # fmt: skip
        except ValueError as error:  # as botocore calls an address or a region that is none
            remedy = "correct its endpoint_url or region"
            raise InvalidInput.of(f"data_stores.{alias}", "", f"cannot be used ({error})", remedy) from error

    @cached_property
    def _vault(self) -> Vault:
        return Vault.of(self._key_file)

    def _data_store(self, alias: str, project: str) -> DataStore:
        own = opened_data_store(self._vault, self._store, project, alias)
        if own is not None:
            return own
        if alias in self._site:
            return self._site[alias]
        raise DataStoreNotFound(project, alias)


def _whole(place: str) -> Place:
    where = Place.parse(place)
    if where.key:
        raise InvalidInput.of("place", place, "names more than a container", "write container@alias")
    return where


def _relative(where: Place, key: str) -> str:
    return key.rpartition("/")[2] if key == where.key else key.removeprefix(where.folder)


def _planned(one: StoredObject) -> ObjectDone:
    return ObjectDone(one.key, one.size)
