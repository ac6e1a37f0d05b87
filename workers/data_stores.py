"""The data stores that a job's volumes may name: its project's own, then the site's. Looked up anew in each step."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from aitrain.domain.errors import PlatformFault, SecretUnreadable
from aitrain.domain.states import EndCause, InfoCode
from aitrain.sealing import opened_data_store
from aitrain.settings import DataStore
from aitrain.store import Store
from workers.log_output import hide
from workers.machine import Machine


class ProjectDataStores(Mapping[str, DataStore]):
    """By alias, for one project and one step. A project's own wins over the site's of the same name.

    One is looked for when it is first asked for, and stays as it was for the rest of the step. Asking raises
    PlatformFault if its keys cannot be had, and StoreUnavailable.
    """

    def __init__(
        self, project: str, store: Store, site: Mapping[str, DataStore], own: Callable[[str], DataStore | None]
    ) -> None:
        """site: those of the settings; own: the project's own of an alias, None if it has none."""
        self._project, self._store, self._site, self._own = project, store, site, own
        self._found: dict[str, DataStore] = {}

    def __getitem__(self, alias: str) -> DataStore:
        if alias not in self._found:
            self._found[alias] = self._own(alias) or self._site[alias]
        return self._found[alias]

    def __iter__(self) -> Iterator[str]:
        return iter({*self._site, *(entry.alias for entry in self._store.data_stores(self._project))})

    def __len__(self) -> int:
        return sum(1 for _ in self)


def opened_here(machine: Machine, project: str) -> ProjectDataStores:
    """Those of a project for a control worker, which opens them itself."""

    def own(alias: str) -> DataStore | None:
        try:
            opened = opened_data_store(machine.vault, machine.store, project, alias)
        except SecretUnreadable as error:
            raise PlatformFault(EndCause.DATA_FAULT, InfoCode.DATASYNC_AUTHENTICATE_FAILED, str(error)) from None
        if opened is not None:
            hide(opened.access_key_id, opened.secret_access_key)
        return opened

    return ProjectDataStores(project, machine.store, machine.settings.data_stores, own)
