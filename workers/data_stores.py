"""The data stores that a job's volumes may name: its project's own, then the site's. Looked up anew in each step."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from aitrain.domain.errors import PlatformFault, SecretUnreadable
from aitrain.domain.states import EndCause, InfoCode
from aitrain.settings import DataStore
from aitrain.store import Store
from aitrain.vault import Vault
from workers.log_output import hide


class ProjectDataStores(Mapping[str, DataStore]):
    """By alias, for one project and one step. A project's own wins over the site's of the same name.

    One is read and decrypted when it is first asked for, and stays as it was for the rest of the step. Asking raises
    PlatformFault if this host cannot decrypt it, and StoreUnavailable.
    """

    def __init__(self, project: str, store: Store, vault: Vault, site: Mapping[str, DataStore]) -> None:
        """site: those of the settings."""
        self._project, self._store, self._vault, self._site = project, store, vault, site
        self._found: dict[str, DataStore] = {}

    def __getitem__(self, alias: str) -> DataStore:
        if alias not in self._found:
            self._found[alias] = self._own(alias) or self._site[alias]
        return self._found[alias]

    def __iter__(self) -> Iterator[str]:
        return iter({*self._site, *(row.entry.alias for row in self._store.data_stores(self._project))})

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def _own(self, alias: str) -> DataStore | None:
        row = self._store.data_store(self._project, alias)
        if row is None:
            return None
        try:
            opened = self._vault.open(self._project, alias, row.sealed)
        except SecretUnreadable as error:
            # Another host may have the key, so it is the platform's fault, and the job is tried elsewhere.
            raise PlatformFault(EndCause.DATA_FAULT, InfoCode.DATASYNC_AUTHENTICATE_FAILED, str(error)) from None
        hide(opened.access_key_id, opened.secret_access_key)
        return opened
