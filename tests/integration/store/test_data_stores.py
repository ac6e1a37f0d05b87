"""Data stores of projects in the job store: kept, replaced, removed, encrypted anew, and checks that lapse."""

from __future__ import annotations

import uuid

import pytest

from aitrain.domain.admission import ProjectTerms, Site, admit
from aitrain.domain.datastore import DataStoreEntry
from aitrain.domain.errors import InvalidInput, Problem
from aitrain.domain.flavor import BUILT_IN
from aitrain.domain.job import Job
from aitrain.domain.sealing import SecretKind
from aitrain.domain.spec import JobSpec
from aitrain.domain.states import State
from aitrain.store import Check, CheckAnswer, SealedSecret, Store

SITE = Site(BUILT_IN, {"site"}, 100, 1000)
CHECK = Check("red", "s3", "", "sealed")


KIND = SecretKind.DATA_STORE
TOKEN, OTHER = "1.00000000000000aa.AAAA", "1.00000000000000bb.AAAA"


def row(
    project: str = "red", alias: str = "s3", revision: str = "one", sealed: str = TOKEN
) -> tuple[DataStoreEntry, str]:
    entry = DataStoreEntry(
        project=project, alias=alias, endpoint_url=None, region="gra", access_key_id="***", revision=revision,
        checked=True, added_ms=0,
    )  # fmt: skip
    return entry, sealed


def queued(store: Store, project: str, *volumes: str) -> Job:
    spec = JobSpec.of(image="x", resources={"cpu": 1}, project=project, volumes=volumes)
    return store.submit(str(uuid.uuid4()), admit(spec, SITE, store.project_terms(project))).job


def test_what_is_kept_comes_back(store: Store) -> None:
    entry = store.put_data_store(*row())
    assert entry.added_ms > 0
    assert entry == row()[0].model_copy(update={"added_ms": entry.added_ms})
    assert store.data_store("red", "s3") == entry
    assert store.data_stores("red") == [entry]
    assert store.sealed("red", KIND, "s3") == SealedSecret("one", TOKEN)
    assert store.revision("red", KIND, "s3") == "one"
    assert store.sealed("blue", KIND, "s3") is store.revision("red", KIND, "other") is None
    assert store.data_store("blue", "s3") is None
    assert store.data_store("red", "other") is None
    assert TOKEN not in repr(store.sealed("red", KIND, "s3"))
    assert TOKEN not in str(store._redis.hgetall(store._key("data_stores", "red")))


def test_adding_twice_is_adding_once_and_a_new_revision_replaces(store: Store) -> None:
    first = store.put_data_store(*row())
    assert store.put_data_store(*row()) == first
    store.put_data_store(*row(revision="two", sealed=OTHER))
    assert store.sealed("red", KIND, "s3") == SealedSecret("two", OTHER)
    assert store.sealed_counts() == {"00000000000000bb": 1}


def test_a_projects_own_are_admitted_and_no_others(store: Store) -> None:
    store.put_data_store(*row())
    store.set_timeout_limit("red", 50)
    assert store.project_terms("red") == ProjectTerms(50, frozenset({"s3"}))
    assert store.project_terms("blue") == ProjectTerms(None, frozenset())
    assert queued(store, "red", "data@s3:/a", "data@site:/b").timeout_s == 50
    with pytest.raises(InvalidInput, match="alias: 's3' is not a data store of this site or project"):
        queued(store, "blue", "data@s3:/a")


def test_one_that_is_needed_is_not_removed(store: Store) -> None:
    store.put_data_store(*row())
    store.put_data_store(*row("blue"))
    store.put_data_store(*row(alias="s33"))
    jobs = [queued(store, "red", "data@site:/a", "data@s3:/b") for _ in range(2)]
    queued(store, "red", "s3-s3@s33:/a", "s3-s3@site/s3:/s3")
    queued(store, "blue", "data@s3:/b")
    assert sorted(store.remove_data_store("red", "s3", force=False)) == sorted(job.id for job in jobs)
    assert store.data_store("red", "s3")
    for job in jobs:
        store.stop(job.id, "stopped")
        assert store.get(job.id).state is State.INTERRUPTED
    for _ in range(2):
        assert store.remove_data_store("red", "s3", force=False) == []
    assert store.data_store("red", "s3") is None
    assert store.data_store("blue", "s3")
    assert store.data_store("red", "s33")


def test_the_jobs_that_are_named_are_a_few(store: Store) -> None:
    store.put_data_store(*row())
    for _ in range(12):
        queued(store, "red", "data@s3:/b")
    assert len(store.remove_data_store("red", "s3", force=False)) == 10
    assert store.remove_data_store("red", "s3", force=True) == []
    assert store.data_store("red", "s3") is None


def test_a_project_without_any_is_looked_through_no_more(store: Store) -> None:
    store.put_data_store(*row())
    store.put_data_store(*row("blue", "b"))
    store.put_data_store(*row("blue", "a"))
    assert [(r.project, r.alias) for r in store.all_data_stores()] == [
        ("blue", "a"), ("blue", "b"), ("red", "s3"),
    ]  # fmt: skip
    store.remove_data_store("red", "s3", force=False)
    assert store._redis.smembers(store._key("data_store_projects")) == {"blue"}


def test_one_that_was_replaced_meanwhile_is_not_sealed_anew(store: Store) -> None:
    member, anew = "data_store/red/s3", "1.00000000000000cc.AAAA"
    store.put_data_store(*row())
    store.put_data_store(*row("blue"))
    assert store.sealed_by("00000000000000aa") == ["data_store/blue/s3", member]
    assert store.tokens_of(member) == {member: TOKEN}
    for _ in range(2):
        assert store.reseal(member, {member: (TOKEN, anew)}) == 1
    assert store.sealed("red", KIND, "s3") == SealedSecret("one", anew)
    assert store.sealed_counts() == {"00000000000000aa": 1, "00000000000000cc": 1}
    store.put_data_store(*row(revision="two", sealed=OTHER))
    assert store.reseal(member, {member: (anew, TOKEN)}) == 0
    store.remove_data_store("red", "s3", force=False)
    assert store.reseal(member, {member: (OTHER, TOKEN)}) == 0
    assert store.sealed("red", KIND, "s3") is None
    assert store.tokens_of(member) == {}
    assert store.sealed_counts() == {"00000000000000aa": 1}
    store.remove_data_store("blue", "s3", force=False)
    assert not store._redis.keys(store._key("sealed_by", "*"))
    assert not store._redis.keys(store._key("sealed", "*"))


def test_a_check_is_answered_while_somebody_waits(store: Store) -> None:
    store.ask_check("t", CHECK, ttl_s=60)
    assert store.asked_check("t") == CHECK
    assert store.check_answer("t") is None
    assert "sealed" not in repr(store.asked_check("t"))
    answer = CheckAnswer(Problem("endpoint_url", "http://x", "does not answer", "correct it"))
    for _ in range(2):
        assert store.answer_check("t", answer)
    assert store.check_answer("t") == answer
    assert store.asked_check("t") == CHECK
    assert 0 < store._redis.ttl(store._key("check", "t")) <= 60
    store.drop_check("t")
    assert store.asked_check("t") is None
    assert not store.answer_check("t", answer)
    assert not store._redis.exists(store._key("check", "t"))
