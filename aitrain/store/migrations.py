"""Brings what an older version kept up to date: an ordered list of migrations, from one schema to the next.

A control worker runs those that are due before it starts. The stamp says "1>2" meanwhile, so that nobody else writes.
Each migration is idempotent and goes in small steps, each one script: one that was killed is begun again, and two
control workers at once do no harm. What it makes of what it finds it tells in lines for people.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from aitrain.domain.errors import SchemaMismatch
from aitrain.domain.schema import SCHEMA, Stamp
from aitrain.domain.states import State
from aitrain.store.connection import Connection
from aitrain.store.scripts import answering

# How the tokens begin that the first version sealed with. The one after it opens none of them.
FERNET = "gAAAA"
JOBS_AT_ONCE = 500


class Migration(Connection):
    """The store as migrations see it: their scripts are let in while the stamp says that it is being migrated."""

    during: str

    def stamp(self, expected: str, new: str) -> None:
        """Stamps the store anew. Raises SchemaMismatch if its stamp is neither the expected one nor the new one."""
        try:
            self._run("stamp", {"schema": expected, "new": new, "marks": []})
        except SchemaMismatch as error:
            if str(error.stamp) != new:  # another control worker did the same
                raise

    def forget_fernet(self) -> Iterator[str]:
        """1 to 2: what the first version sealed cannot be opened any more. The data stores stay, without their keys."""
        with answering():
            projects: Any = self._redis.smembers(self._key("data_store_projects"))
        for project in sorted(projects):
            with answering():
                held: Any = self._redis.hgetall(self._key("data_stores", project))
            for alias, text in sorted(held.items()):
                row = json.loads(text)
                if not str(row.get("sealed", "")).startswith(FERNET):
                    continue
                new = json.dumps({**row, "sealed": ""})
                change = {"project": project, "alias": alias, "old": text, "new": new}
                self._run("replace_data_store", {"schema": self.during, **change})
                yield (
                    f"data store {alias} of project {project}: its keys were sealed by an older version and cannot be "
                    "read any more; add it again with `aitrain datastore add`"
                )

    def count_standing(self) -> Iterator[str]:
        """1 to 2: the first version did not count how many jobs of a project are in a state. Nobody moves one now."""
        standing: Counter[str] = Counter()
        for state in State:
            for jobs in self._jobs("state", state):
                with answering():
                    pipe = self._redis.pipeline(transaction=False)
                    for job_id in jobs:
                        pipe.hget(self._key("job", job_id), "project")
                    standing.update(f"{project}/{state}" for project in pipe.execute())
        pairs = [text for name, number in standing.items() for text in (name, str(number))]
        commands = [["DEL", self._key("standing")], *([["HSET", self._key("standing"), *pairs]] if pairs else [])]
        self._run("command", {"schema": self.during, "commands": commands})
        yield from ()

    def vouch_for_jobs(self) -> Iterator[str]:
        """1 to 2: the first version did not note where a job came from and was sent. Its records are all there is."""
        for jobs in self._jobs("jobs"):
            self._run("vouch_for", {"schema": self.during, "jobs": jobs})
        yield from ()

    def seal_count_and_vouch(self) -> Iterator[str]:
        """1 to 2."""
        yield from self.forget_fernet()
        yield from self.count_standing()
        yield from self.vouch_for_jobs()

    def _jobs(self, key: str, *parts: str) -> Iterator[list[str]]:
        """The members of an index of jobs, some at a time."""
        cursor = 0
        while True:
            with answering():
                found: Any = self._redis.zscan(self._key(key, *parts), cursor, count=JOBS_AT_ONCE)
            cursor, jobs = found
            yield [job_id for job_id, _ in jobs]
            if not cursor:
                return


# From which schema, and what leads to the next one.
MIGRATIONS: dict[int, Callable[[Migration], Iterator[str]]] = {1: Migration.seal_count_and_vouch}


@dataclass(frozen=True)
class Migrated:
    """What was done. before: the schema that was found; said: for people, what became of what."""

    before: int
    said: tuple[str, ...] = ()


def migrate(store: Migration) -> Migrated | None:
    """Brings a store up to date; None if it is. An empty one is stamped.

    Raises SchemaMismatch for one that is newer than this process, and StoreUnavailable.
    """
    for last in (False, False, True):
        try:
            store.check_schema()
        except SchemaMismatch as error:
            if error.for_good or error.stamp is None:
                raise
            found = error.stamp
        else:
            return None
        try:
            return Migrated(found.schema, tuple(_from(found, store)))
        except SchemaMismatch:  # another control worker went on to the next one
            if last:
                raise
    raise AssertionError  # for mypy: the last try returns or raises


def _from(found: Stamp, store: Migration) -> Iterator[str]:
    now = str(found)
    for schema in range(found.schema, SCHEMA):
        store.during, after = str(Stamp(schema, schema + 1)), str(Stamp(schema + 1))
        store.stamp(now, store.during)
        yield from MIGRATIONS[schema](store)
        store.stamp(store.during, after)
        now = after
