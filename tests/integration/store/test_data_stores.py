"""Data stores of projects in the job store: kept, replaced, removed, encrypted anew, and checks that lapse."""

from __future__ import annotations

import uuid

import pytest

from aitrain.domain.admission import ProjectTerms, Site, admit
from aitrain.domain.datastore import DataStoreEntry
from aitrain.domain.errors import InvalidInput, Problem
from aitrain.domain.flavor import BUILT_IN
from aitrain.domain.job import Job
from aitrain.domain.spec import JobSpec
from aitrain.domain.states import State
from aitrain.store import Check, CheckAnswer, DataStoreRow, Store

SITE = Site(BUILT_IN, {"site"}, 100, 1000)
CHECK = Check("red", "s3", "", "sealed")


def row(project: str = "red", alias: str = "s3", revision: str = "one", sealed: str = "sealed") -> DataStoreRow:
    entry = DataStoreEntry(
        project=project, alias=alias, endpoint_url=None, region="gra", access_key_id="***", revision=revision,
        checked=True, added_ms=0,
    )  # fmt: skip
    return DataStoreRow(entry, sealed)


def queued(store: Store, project: str, *volumes: str) -> Job:
    spec = JobSpec.of(image="x", resources={"cpu": 1}, project=project, volumes=volumes)
    return store.submit(str(uuid.uuid4()), admit(spec, SITE, store.project_terms(project))).job


def test_what_is_kept_comes_back(store: Store) -> None:
    entry = store.put_data_store(row())
    assert entry.added_ms > 0
    assert entry == row().entry.model_copy(update={"added_ms": entry.added_ms})
    assert store.data_store("red", "s3") == DataStoreRow(entry, "sealed")
    assert store.data_stores("red") == [DataStoreRow(entry, "sealed")]
    assert store.data_store("blue", "s3") is None
    assert store.data_store("red", "other") is None
    assert "sealed" not in repr(store.data_store("red", "s3"))


def test_adding_twice_is_adding_once_and_a_new_revision_replaces(store: Store) -> None:
    first = store.put_data_store(row())
    assert store.put_data_store(row()) == first
    store.put_data_store(row(revision="two", sealed="other"))
    held = store.data_store("red", "s3")
    assert held is not None
    assert (held.entry.revision, held.sealed) == ("two", "other")


def test_a_projects_own_are_admitted_and_no_others(store: Store) -> None:
    store.put_data_store(row())
    store.set_timeout_limit("red", 50)
    assert store.project_terms("red") == ProjectTerms(50, frozenset({"s3"}))
    assert store.project_terms("blue") == ProjectTerms(None, frozenset())
    assert queued(store, "red", "data@s3:/a", "data@site:/b").timeout_s == 50
    with pytest.raises(InvalidInput, match="alias: 's3' is not a data store of this site or project"):
        queued(store, "blue", "data@s3:/a")


def test_one_that_is_needed_is_not_removed(store: Store) -> None:
    store.put_data_store(row())
    store.put_data_store(row("blue"))
    store.put_data_store(row(alias="s33"))
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
    store.put_data_store(row())
    for _ in range(12):
        queued(store, "red", "data@s3:/b")
    assert len(store.remove_data_store("red", "s3", force=False)) == 10
    assert store.remove_data_store("red", "s3", force=True) == []
    assert store.data_store("red", "s3") is None


def test_a_project_without_any_is_looked_through_no_more(store: Store) -> None:
    store.put_data_store(row())
    store.put_data_store(row("blue", "b"))
    store.put_data_store(row("blue", "a"))
    assert [(r.entry.project, r.entry.alias) for r in store.all_data_stores()] == [
        ("blue", "a"), ("blue", "b"), ("red", "s3"),
    ]  # fmt: skip
    store.remove_data_store("red", "s3", force=False)
    assert store._redis.smembers(store._key("data_store_projects")) == {"blue"}


def test_one_that_was_replaced_meanwhile_is_not_encrypted_anew(store: Store) -> None:
    old = DataStoreRow(store.put_data_store(row()), "sealed")
    for _ in range(2):
        assert store.reseal_data_store(old, "anew")
    held = store.data_store("red", "s3")
    assert held == DataStoreRow(old.entry, "anew")
    store.put_data_store(row(revision="two", sealed="other"))
    assert not store.reseal_data_store(held, "again")
    store.remove_data_store("red", "s3", force=False)
    assert not store.reseal_data_store(held, "again")
    assert store.data_store("red", "s3") is None


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
