"""The data stores of projects: what may be shown of them. Their keys stand apart, sealed (sealed.py)."""

from __future__ import annotations

import json
from functools import partial
from typing import Any

from aitrain.domain.datastore import DataStoreEntry
from aitrain.store.connection import Connection

# So many jobs are named where a data store may not be removed; one would do to refuse it.
MOST_JOBS_NAMED = 10


class DataStoreRows(Connection):
    """Adding, reading and removing data stores of projects."""

    def put_data_store(self, entry: DataStoreEntry, sealed: str) -> DataStoreEntry:
        """Keeps a data store of a project, in the place of one of the same alias; as it stands then.

        sealed: its address and keys (see aitrain.vault). The time of its entry is set here, by the store's clock.
        """
        shown = entry.model_dump(exclude={"project", "alias", "added_ms"})
        arguments = {"project": entry.project, "alias": entry.alias, "row": shown, "token": sealed}
        return to_entry(entry.project, entry.alias, self._run("put_data_store", arguments)["row"])

    def data_store(self, project: str, alias: str) -> DataStoreEntry | None:
        """A project's data store, None if it has none of that alias."""
        held = self._ask(lambda: self._redis.hget(self._key("data_stores", project), alias))
        return None if held is None else to_entry(project, alias, held)

    def data_stores(self, project: str) -> list[DataStoreEntry]:
        """The data stores of a project, by alias."""
        held = self._ask(lambda: self._redis.hgetall(self._key("data_stores", project)))
        return [to_entry(project, alias, row) for alias, row in sorted(held.items())]

    def all_data_stores(self) -> list[DataStoreEntry]:
        """The data stores of every project."""
        projects = self._ask(partial(self._redis.smembers, self._key("data_store_projects")))
        return [row for project in sorted(projects) for row in self.data_stores(project)]

    def remove_data_store(self, project: str, alias: str, *, force: bool) -> list[str]:
        """Removes a data store, unless jobs name it that have not ended: the ids of some of them.

        force: remove it all the same. One that is gone already is as good.
        """
        arguments = {"project": project, "alias": alias, "force": force, "most": MOST_JOBS_NAMED}
        return list(self._run("remove_data_store", arguments)["jobs"])


def to_entry(project: str, alias: str, held: str) -> DataStoreEntry:
    """A data store from its place in the hash of its project."""
    fields: dict[str, Any] = json.loads(held)
    # Of an earlier version, which kept the keys beside it, encrypted in another way.
    fields.pop("sealed", None)
    return DataStoreEntry.model_validate({**fields, "project": project, "alias": alias}, extra="ignore")
