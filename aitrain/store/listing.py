"""Finding jobs: by the beginning of an id, by name, and the newest ones that fit."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from itertools import islice

from aitrain.domain.errors import AmbiguousJob, JobNotFound
from aitrain.domain.job import Job
from aitrain.domain.states import STATES, State
from aitrain.store.jobs import Jobs

# Jobs read in one round trip: some hundred kilobytes at the most times.
PAGE = 200
# What an id's beginning or a name is made of; the index's separators are not.
REFERENCE = re.compile(r"[a-z0-9-]{1,63}")
CANDIDATES = 5


@dataclass(frozen=True)
class Wanted:
    """Which jobs are wanted; what is not given does not matter.

    states: any of them; labels: each of them, None for any value; name: exactly this one; created_*_ms: Unix ms, from
    "after" on and before "before".
    """

    project: str | None = None
    states: Collection[State] = ()
    labels: Mapping[str, str | None] = field(default_factory=dict)
    user: str | None = None
    name: str | None = None
    created_after_ms: int | None = None
    created_before_ms: int | None = None

    def fits(self, job: Job) -> bool:
        """Whether it is one of them."""
        return (
            self.project in (None, job.project)
            and (not self.states or job.state in self.states)
            and all(key in job.labels and value in (None, job.labels[key]) for key, value in self.labels.items())
            and self.user in (None, job.spec.user)
            and self.name in (None, job.name)
            and (self.created_after_ms is None or job.created_ms >= self.created_after_ms)
            and (self.created_before_ms is None or job.created_ms < self.created_before_ms)
        )


class Listing(Jobs):
    """Finds jobs. Reads only."""

    def find(self, ref: str, project: str | None = None) -> str:
        """The id of the one job that a reference means: a whole id, the beginning of one, or a job's name.

        project: look among its jobs only. A job that was submitted by a version without this index is found by its
        whole id. Raises JobNotFound, and AmbiguousJob if it means more than one.
        """
        text = ref.strip().lower()
        if not REFERENCE.fullmatch(text):
            raise JobNotFound(ref)
        owner, deleted = self._ask(partial(self._redis.hmget, self._key("job", text), "project", "deleted_ms"))
        if owner is not None and deleted is None and project in (None, owner):
            return text
        found: dict[str, None] = {}
        named = f"n/{text}/" + (f"{project}/" if project else "")
        for start, at, owner_at in (("i/" + text, 1, 2), (named, 3, 2)):
            for member in self._beginning(start):
                parts = member.split("/")
                if project in (None, parts[owner_at]):
                    found[parts[at]] = None
                if len(found) > CANDIDATES:
                    break
        if not found:
            raise JobNotFound(ref)
        if len(found) > 1:
            raise AmbiguousJob(ref, list(found)[:CANDIDATES], more=len(found) > CANDIDATES)
        return next(iter(found))

    def iter_jobs(self, wanted: Wanted | None = None, limit: int | None = None) -> Iterator[Job]:
        """Jobs, the newest first, by (time of creation, id); at most `limit`.

        Read page by page: a job that is submitted meanwhile moves no other, so that none is given twice or left out.
        Raises StoreUnavailable.
        """
        wanted = wanted or Wanted()
        return islice((job for ids in self._pages(wanted) for job in self.get_many(ids) if wanted.fits(job)), limit)

    def _pages(self, wanted: Wanted) -> Iterator[list[str]]:
        """Ids, the newest first, of all that are wanted, and of others."""
        if wanted.states and not any(STATES[state].ended for state in wanted.states):
            # They are few beside those that have ended.
            ids = self._live(wanted.states)
            yield from (ids[at : at + PAGE] for at in range(0, len(ids), PAGE))
        else:
            yield from self._by_time(wanted)

    def _live(self, states: Collection[State]) -> list[str]:
        pipe = self._redis.pipeline(transaction=True)
        for state in sorted(set(states)):
            pipe.zrange(self._key("state", state), 0, -1)
        ids = [job_id for of_state in self._ask(pipe.execute) for job_id in of_state]
        if not ids:
            return []
        times = self._ask(partial(self._redis.zmscore, self._key("jobs"), ids))
        newest = sorted(((at or 0, job_id) for at, job_id in zip(times, ids, strict=True)), reverse=True)
        return [job_id for _, job_id in newest]

    def _by_time(self, wanted: Wanted) -> Iterator[list[str]]:
        key = self._key("jobs") if wanted.project is None else self._key("project_jobs", wanted.project)
        low = "-inf" if wanted.created_after_ms is None else str(wanted.created_after_ms)
        high = "+inf" if wanted.created_before_ms is None else f"({wanted.created_before_ms}"
        last: tuple[float, str] | None = None
        again = 0  # so many of the next page are known: those of the same millisecond
        while True:
            count = PAGE + again
            rows = self._ask(partial(self._redis.zrevrangebyscore, key, high, low, start=0, num=count, withscores=True))
            fresh = [(at, job_id) for job_id, at in rows if last is None or (at, job_id) < last]
            if fresh:
                yield [job_id for _, job_id in fresh]
                last = fresh[-1]
                high = f"{last[0]:.0f}"
            if len(rows) < count:
                return
            again = sum(1 for _, at in rows if last is not None and at == last[0])

    def _beginning(self, start: str) -> Iterator[str]:
        """Members of the index that begin so. '~' comes after all that stands in one."""
        low = f"[{start}"
        while True:
            page = self._ask(partial(self._redis.zrangebylex, self._key("refs"), low, f"({start}~", 0, PAGE))
            yield from page
            if len(page) < PAGE:
                return
            low = f"({page[-1]}"
