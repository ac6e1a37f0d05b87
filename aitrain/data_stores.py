"""The data stores of projects: added at run time, tried before they are kept, and kept sealed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pydantic import SecretStr

from aitrain.broker import CHECK_DATA_STORE, Broker
from aitrain.checking import Checking
from aitrain.domain.datastore import DataStoreEntry, NewDataStore, masked
from aitrain.domain.errors import DataStoreNotFound
from aitrain.domain.sealing import SecretKind, purpose
from aitrain.sealing import data_store_text, site_sealer
from aitrain.settings import DataStore, Settings
from aitrain.store import Check, Store, token


@dataclass(frozen=True)
class DataStoreRemoval:
    """The answer to a removal. done False: these jobs (the first few) name the data store and have not ended."""

    done: bool
    jobs: Sequence[str] = ()


class DataStores:
    """What a client does with the data stores of projects.

    Every method raises StoreUnavailable if the job store does not answer within seconds.
    """

    def __init__(self, settings: Settings, store: Store, broker: Broker) -> None:
        self._settings, self._store = settings, store
        self._checking = Checking(store, broker, settings.timing.check_seconds)

    def add(
        self,
        project: str,
        alias: str,
        endpoint_url: str | None,
        region: str,
        access_key_id: str | SecretStr,
        secret_access_key: str | SecretStr,
        container: str | None = None,
        check: bool = True,
    ) -> DataStoreEntry:
        """Adds a data store to a project, in the place of one of the same alias: jobs use it from their next step on.

        Its fields: see NewDataStore. check: have a control worker try it first; container: list this one then, for keys
        that may not list all. Raises InvalidInput if a field is wrong, the data store does not answer or does not take
        the keys, or no key of the site is known to seal them with; CheckUnavailable and BrokerUnavailable if it could
        not be tried. Then nothing was kept.
        """
        asked = NewDataStore.of(
            project=project, alias=alias, endpoint_url=endpoint_url, region=region, access_key_id=access_key_id,
            secret_access_key=secret_access_key, container=container,
        )  # fmt: skip
        store = DataStore(
            endpoint_url=asked.endpoint_url, region=asked.region, access_key_id=asked.access_key_id,
            secret_access_key=asked.secret_access_key,
        )  # fmt: skip
        sealer = site_sealer(self._settings, self._store)
        sealed = sealer.seal(purpose(SecretKind.DATA_STORE, asked.project, asked.alias), data_store_text(store))
        if check:
            wanted = Check(asked.project, asked.alias, asked.container or "", sealed)
            self._checking.ask(wanted, CHECK_DATA_STORE, datastore=asked.alias)
        entry = DataStoreEntry(
            project=asked.project, alias=asked.alias, endpoint_url=asked.endpoint_url, region=asked.region,
            access_key_id=masked(asked.access_key_id.get_secret_value()), revision=token(), checked=check, added_ms=0,
        )  # fmt: skip
        return self._store.put_data_store(entry, sealed)

    def list(self, project: str) -> list[DataStoreEntry]:
        """A project's own data stores, by alias. Those of the site stand in its settings."""
        return self._store.data_stores(project)

    def show(self, project: str, alias: str) -> DataStoreEntry:
        """One data store of a project. Raises DataStoreNotFound."""
        entry = self._store.data_store(project, alias)
        if entry is None:
            raise DataStoreNotFound(project, alias)
        return entry

    def remove(self, project: str, alias: str, force: bool = False) -> DataStoreRemoval:
        """Removes a data store, unless jobs that have not ended name it.

        force: remove it all the same; a job that then finds none of this alias, nor one of the site, ends with
        DATASYNC_DATA_STORE_NOT_FOUND. Raises DataStoreNotFound.
        """
        self.show(project, alias)
        jobs = self._store.remove_data_store(project, alias, force=force)
        return DataStoreRemoval(not jobs, jobs)
