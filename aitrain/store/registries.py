"""The registries of projects: what may be shown of them. Their passwords stand apart, sealed (sealed.py)."""

from __future__ import annotations

import json

from aitrain.domain.registry import RegistryEntry
from aitrain.store.connection import Connection

# So many jobs are named where a registry may not be removed; one would do to refuse it.
MOST_JOBS_NAMED = 10


class RegistryRows(Connection):
    """Adding, reading and removing registries of projects."""

    def put_registry(self, entry: RegistryEntry, sealed: str) -> RegistryEntry:
        """Keeps a registry of a project, in the place of one of the same server; as it stands then.

        sealed: its user and password (see aitrain.vault). The time of its entry is set here, by the store's clock.
        """
        shown = entry.model_dump(exclude={"project", "server", "added_ms"}, exclude_none=True)
        arguments = {"project": entry.project, "server": entry.server, "row": shown, "token": sealed}
        return _entry(entry.project, entry.server, self._run("put_registry", arguments)["row"])

    def registry(self, project: str, server: str) -> RegistryEntry | None:
        """A project's registry, None if it has none of that server."""
        held = self._ask(lambda: self._redis.hget(self._key("registries", project), server))
        return None if held is None else _entry(project, server, held)

    def registries(self, project: str) -> list[RegistryEntry]:
        """The registries of a project, by server."""
        held = self._ask(lambda: self._redis.hgetall(self._key("registries", project)))
        return [_entry(project, server, row) for server, row in sorted(held.items())]

    def remove_registry(self, project: str, server: str, *, force: bool) -> list[str]:
        """Removes a registry, unless jobs that have not ended have images of it: the ids of some of them.

        force: remove it all the same. One that is gone already is as good.
        """
        arguments = {"project": project, "server": server, "force": force, "most": MOST_JOBS_NAMED}
        return list(self._run("remove_registry", arguments)["jobs"])


def _entry(project: str, server: str, held: str) -> RegistryEntry:
    return RegistryEntry.model_validate({**json.loads(held), "project": project, "server": server})
