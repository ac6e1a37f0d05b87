"""Finding jobs by reference, and listing them page by page."""

from __future__ import annotations

import uuid
from collections.abc import Iterator

import pytest

from aitrain.domain.admission import Site, admit
from aitrain.domain.errors import AmbiguousJob, InvalidInput, JobNotFound, QuotaExceeded
from aitrain.domain.flavor import BUILT_IN, Kind
from aitrain.domain.spec import JobSpec
from aitrain.domain.states import State
from aitrain.store import Store, Submitted, Wanted
from aitrain.store.listing import PAGE
from workers.scratch.servers import RedisServer

SITE = Site(BUILT_IN, {"s3"}, 100, 1000)


class Clock:
    """The store's time, as a test sets it."""

    ms = 1_800_000_000_000

    def __call__(self) -> int:
        return self.ms


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def timed(redis: RedisServer, namespace: str, clock: Clock) -> Iterator[Store]:
    store = Store(redis.url, namespace=namespace, clock_ms=clock)
    yield store
    store.close()


def submit(store: Store, job_id: str = "", **fields: object) -> str:
    spec = JobSpec.of(image="x", **{"resources": {"cpu": 1}, **fields})
    return store.submit(job_id or str(uuid.uuid4()), admit(spec, SITE)).job.id


def test_a_job_is_found_by_id_by_its_beginning_and_by_name(store: Store) -> None:
    one = submit(store, "aaaa1111-0000-4000-8000-000000000001", name="first")
    two = submit(store, "aaaa2222-0000-4000-8000-000000000002", name="second", project="red")
    assert [store.find(ref) for ref in (one, "aaaa1", "AAAA1", one[:-1], "first")] == [one] * 5
    assert [store.find(ref, "red") for ref in ("aaaa", "second", two)] == [two] * 3
    for ref, project in (
        ("aaaa3", None),
        ("firs", None),
        ("first", "red"),
        (one, "red"),
        ("", None),
        ("n/first", None),
    ):
        with pytest.raises(JobNotFound):
            store.find(ref, project)
    with pytest.raises(AmbiguousJob, match=r"aaaa1111.*aaaa2222") as told:
        store.find("aaaa")
    assert told.value.candidates == (one, two)


def test_many_candidates_are_not_all_named(store: Store) -> None:
    for _ in range(7):
        submit(store, name="same")
    with pytest.raises(AmbiguousJob, match="and others") as told:
        store.find("same")
    assert len(told.value.candidates) == 5


def test_a_name_and_a_beginning_count_alike(store: Store) -> None:
    submit(store, "abcd0000-0000-4000-8000-000000000001", name="other")
    submit(store, name="abcd")
    with pytest.raises(AmbiguousJob):
        store.find("abcd")


def test_a_deleted_job_is_not_found_and_leaves_no_reference(store: Store) -> None:
    job_id = submit(store, name="gone")
    store.stop(job_id, "stopped")
    assert store.delete(job_id, force=False, message="deleted").done
    for ref in (job_id, job_id[:8], "gone"):
        with pytest.raises(JobNotFound):
            store.find(ref)
    assert not store._redis.exists(store._key("refs"))


def test_a_job_from_before_the_index_is_found_by_its_whole_id(store: Store) -> None:
    job_id = submit(store)
    store._redis.delete(store._key("refs"))
    assert store.find(job_id) == job_id
    with pytest.raises(JobNotFound):
        store.find(job_id[:8])


def test_pages_neither_repeat_nor_skip_while_jobs_come_and_go(timed: Store, clock: Clock) -> None:
    spec = admit(JobSpec.of(image="x", resources={"cpu": 1}), SITE)
    # More of one millisecond than a page, twice, so that a page ends amid them.
    ids: list[str] = []
    for _ in range(2):
        batch = [str(uuid.uuid4()) for _ in range(PAGE + 50)]
        timed.submit_many([(job_id, spec) for job_id in batch])
        ids = sorted(batch, reverse=True) + ids
        clock.ms += 1
    seen = []
    for number, job in enumerate(timed.iter_jobs()):
        seen.append(job.id)
        if number % 150 == 0:
            submit(timed)
            timed.delete(job.id, force=True, message="")
    assert seen == ids


def test_filters_and_limit(timed: Store, clock: Clock) -> None:
    began = clock.ms
    first = submit(timed, name="one", labels={"team": "a"}, user="ann")
    clock.ms += 10
    second = submit(timed, name="two", labels={"team": "b"}, project="red")
    clock.ms += 10
    third = submit(timed, name="two", user="ann")
    timed.stop(third, "stopped")

    def got(limit: int | None = None, **wanted: object) -> list[str]:
        return [job.id for job in timed.iter_jobs(Wanted(**wanted), limit)]

    assert got() == [third, second, first]
    assert got(2) == [third, second]
    assert got(project="red") == [second]
    assert got(labels={"team": None}) == [second, first]
    assert got(labels={"team": "a"}) == [first]
    assert got(user="ann") == [third, first]
    assert got(name="two") == [third, second]
    assert got(states=[State.QUEUED]) == [second, first]
    assert got(states=[State.INTERRUPTED]) == [third]
    assert got(states=[State.QUEUED, State.INTERRUPTED]) == [third, second, first]
    assert got(states=[State.RUNNING]) == []
    assert got(created_after_ms=began + 10) == [third, second]
    assert got(created_before_ms=began + 10) == [first]
    assert got(created_after_ms=began + 1, created_before_ms=began + 20) == [second]


def test_many_are_submitted_each_with_its_answer_and_again_without_harm(store: Store) -> None:
    store.set_quota("red", Kind.CPU, 2)
    spec = admit(JobSpec.of(image="x", project="red", resources={"cpu": 1}, name="n"), SITE)
    asked = [(str(uuid.uuid4()), spec) for _ in range(3)]
    answers = store.submit_many(asked)
    assert [type(one) for one in answers] == [Submitted, Submitted, QuotaExceeded]
    again = store.submit_many(asked)
    assert [one.job for one in again[:2] if isinstance(one, Submitted)] == [
        one.job for one in answers[:2] if isinstance(one, Submitted)
    ]
    assert isinstance(again[2], QuotaExceeded)
    assert len(list(store.iter_jobs())) == 2
    store.delete(asked[0][0], force=True, message="")
    assert isinstance(store.submit_many(asked)[0], InvalidInput)
    assert store.submit_many([]) == []
