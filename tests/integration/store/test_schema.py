"""A job store that an older or a newer version has written: read, migrated or left alone."""

from __future__ import annotations

import json
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from redis import Redis

from aitrain.domain.admission import admit
from aitrain.domain.errors import SchemaMismatch, SecretUnreadable
from aitrain.domain.job import Job
from aitrain.domain.quota import OverQuota
from aitrain.domain.schema import SCHEMA, Stamp
from aitrain.domain.spec import JobSpec
from aitrain.domain.states import EndCause, State
from aitrain.sealing import opened_data_store
from aitrain.store import Store
from aitrain.store.keys import Keys
from aitrain.store.migrations import Migration, migrate
from aitrain.vault import Vault
from tests.golden import dump, fill, kept
from tests.golden.__main__ import SITE, TIMING
from workers.scratch.servers import RedisServer

LATER = SCHEMA + 1
NEWER = f"has schema {LATER}, and this aitrain .* has schema {SCHEMA}: .*upgrade this process, too, or restore"


@pytest.fixture
def raw(redis: RedisServer) -> Iterator[Redis]:
    client = Redis.from_url(redis.url, decode_responses=True)
    yield client
    client.close()


@pytest.fixture
def migration(redis: RedisServer, namespace: str) -> Iterator[Migration]:
    store = Migration(redis.url, namespace=namespace)
    yield store
    store.close()


def stamp(store: Store | Migration, text: str | None = None) -> str | None:
    if text is not None:
        store._redis.set(store._key("schema"), text)
    held = store._redis.get(store._key("schema"))
    return None if held is None else str(held)


def submit(store: Store, job_id: str = "j1", **fields: Any) -> Job:
    return store.submit(job_id, admit(JobSpec.of(image="x", resources={"cpu": 1}, **fields), SITE)).job


def read(store: Store) -> object:
    return store.data_stores("default")


def join(store: Store) -> object:
    return store.join_host("h1", instance="m1", units={"cpu": ["0"]}, max_jobs=1, timing=TIMING)


def beat(store: Store) -> object:
    return store.heartbeat("h1", instance="m1", fit=True, seen=[], timing=TIMING, resend_ms=1000)


WRITES: tuple[Callable[[Store], object], ...] = (
    submit, join, beat,
    lambda store: store.sweep_done("bill_minutes", 1),
    lambda store: store.set_over_quota("red", OverQuota.HOLD),
    lambda store: store.set_timeout_limit("red", 5),
    lambda store: store.signing(),
    lambda store: store.tell_version("h1", "agent", "9"),
    lambda store: store.stop("j1", ""),
    lambda store: store.tick_billing(9),
)  # fmt: skip


@pytest.mark.parametrize("first", [submit, read, join])
def test_an_empty_store_is_stamped_by_whoever_comes_first(store: Store, first: Callable[[Store], object]) -> None:
    assert stamp(store) is None
    first(store)
    assert stamp(store) == str(SCHEMA)


def test_many_may_come_first(redis: RedisServer, namespace: str) -> None:
    stores = [Store(redis.url, namespace=namespace) for _ in range(8)]
    failures: list[BaseException] = []

    def first(number: int) -> None:
        try:
            submit(stores[number], f"j{number}")
        except BaseException as failure:
            failures.append(failure)

    threads = [threading.Thread(target=first, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures
    assert len(list(stores[0].get_many([f"j{n}" for n in range(8)]))) == 8
    for one in stores:
        one.close()


@pytest.mark.parametrize("text", [str(LATER), f"{SCHEMA}>{LATER}"])
def test_a_process_that_still_runs_after_an_upgrade_writes_nothing(
    store: Store, raw: Redis, namespace: str, text: str
) -> None:
    """It began when the store was its own: each of its calls meets the new stamp."""
    submit(store)
    join(store)
    stamp(store, text)
    before = dump(raw, namespace)
    for write in WRITES:
        with pytest.raises(SchemaMismatch, match=NEWER):
            write(store)
    assert dump(raw, namespace) == before


def test_a_newer_store_is_not_even_read(store: Store) -> None:
    stamp(store, str(LATER))
    with pytest.raises(SchemaMismatch, match=NEWER) as refused:
        read(store)
    assert refused.value.for_good


def test_a_newer_store_is_not_migrated(store: Store, migration: Migration) -> None:
    stamp(store, str(LATER))
    with pytest.raises(SchemaMismatch, match=NEWER):
        migrate(migration)
    assert stamp(store) == str(LATER)


def test_a_stamp_of_somebody_else_is_left_alone(store: Store) -> None:
    stamp(store, "hello")
    with pytest.raises(SchemaMismatch, match="'hello' is none of aitrain") as refused:
        submit(store)
    assert refused.value.for_good


def test_an_older_store_waits_for_a_control_worker(store: Store, raw: Redis, namespace: str) -> None:
    fill(raw, kept("store-1.json"), namespace)
    before = dump(raw, namespace)
    for call in (read, *WRITES):
        with pytest.raises(SchemaMismatch, match=r"has schema 1.*start `aitrain control` of this version") as refused:
            call(store)
        assert not refused.value.for_good
    assert dump(raw, namespace) == before


def test_migrating_is_done_once_and_says_what_became_of_what(
    store: Store, migration: Migration, raw: Redis, namespace: str
) -> None:
    fill(raw, kept("store-1.json"), namespace)
    done = migrate(migration)
    assert done is not None
    assert done.before == 1
    assert [line.partition(":")[0] for line in done.said] == ["data store mine of project default"]
    assert "add it again" in done.said[0]
    assert migrate(migration) is None
    assert stamp(store) == str(SCHEMA)
    # Then what was sealed is gone, and the row says which data store it was.
    (entry,) = store.data_stores("default")
    assert (entry.alias, entry.access_key_id) == ("mine", "gol***")
    with pytest.raises(SecretUnreadable, match="add the data store again"):
        opened_data_store(Vault([]), store, "default", "mine")


def test_jobs_of_an_older_store_are_counted(migration: Migration, raw: Redis, namespace: str) -> None:
    fill(raw, kept("store-1.json"), namespace)
    standing = Keys(namespace)("standing")
    raw.hset(standing, "gone/DONE", 7)  # of a try that was killed

    migrate(migration)

    held = Counter(
        f"{raw.hget(Keys(namespace)('job', job_id), 'project')}/{state}"
        for state in State
        for job_id in raw.zrange(Keys(namespace)("state", state), 0, -1)
    )
    assert len(held) > 3
    assert {name: int(number) for name, number in raw.hgetall(standing).items()} == held


def test_a_migration_that_was_killed_is_begun_again(store: Store, migration: Migration, raw: Redis) -> None:
    namespace = store._key.root[1:-2]
    fill(raw, kept("store-1.json"), namespace)
    migration.stamp("", "1>2")
    with pytest.raises(SchemaMismatch, match="is being brought from schema 1 to 2 by a control worker"):
        submit(store)
    done = migrate(migration)
    assert done is not None
    assert len(done.said) == 1
    assert submit(store).state is State.QUEUED


def test_two_control_workers_may_migrate_at_once(redis: RedisServer, namespace: str, raw: Redis) -> None:
    held = kept("store-1.json")
    row = held["project:default:data_stores"]["hash"]["mine"]
    held["project:default:data_stores"]["hash"] = {f"mine{n}": row for n in range(40)}
    fill(raw, held, namespace)
    failures: list[BaseException] = []

    def one() -> None:
        try:
            migrate(Migration(redis.url, namespace=namespace))
        except BaseException as failure:
            failures.append(failure)

    threads = [threading.Thread(target=one) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures
    rows = raw.hgetall(f"{{{namespace}}}:project:default:data_stores")
    assert len(rows) == 40
    assert {json.loads(text)["sealed"] for text in rows.values()} == {""}


def test_every_job_of_an_older_store_is_read_and_goes_on(
    store: Store, migration: Migration, raw: Redis, namespace: str
) -> None:
    fill(raw, kept("store-1.json"), namespace)
    migrate(migration)
    ids = [f"00000000-0000-7000-8000-{number:012d}" for number in range(1, 15)]
    jobs = {job.spec.name: job for job in store.get_many(ids)}
    assert {name: str(job.state) for name, job in jobs.items()} == {
        "done": "DONE", "failed": "QUEUED", "error": "ERROR", "bad-image": "FAILED", "interrupted": "INTERRUPTED",
        "finalizing": "FINALIZING", "timeout": "TIMEOUT", "interrupting": "INTERRUPTING", "running": "RUNNING",
        "pending": "PENDING", "initializing": "INITIALIZING", "queued": "QUEUED", "held": "QUEUED",
    }  # fmt: skip
    assert jobs["failed"].spec.volumes[1].alias == "mine"
    assert (jobs["failed"].earlier_attempts[0].exit_code, jobs["held"].held) == (3, "quota")
    assert [line.text for _, line in store.log_ring(jobs["running"].id, 1)] == ["up"]
    assert store.last_copy(jobs["running"].id) is not None
    assert len(list(store.ledger_lines("default"))) == 7
    assert store.host_views(["h1"])[0].version == ""
    # The host's agent goes on with all that it had, and each ends.
    assert store.join_host("h1", instance="m1", units={"cpu": ["0"]}, max_jobs=20, timing=TIMING) is not None
    heard = beat(store)
    assert len(heard.jobs) == 6  # type: ignore[attr-defined]
    for name in ("running", "timeout", "interrupting"):
        job = jobs[name]
        assert store.transition(job.id, job.fence, State.FINALIZING, cause=EndCause.COMPLETED).moved
        assert store.transition(job.id, job.fence, State.INTERRUPTED).moved
    assert store.start(jobs["done"].id, "again").done
    assert store.retry_push(jobs["error"].id, "again").why in ("replaced", None)


def test_what_a_newer_version_of_the_same_schema_wrote_is_read(
    store: Store, migration: Migration, raw: Redis, namespace: str
) -> None:
    """Each record has a field that this version has never heard of."""
    held = kept("store-1.json")
    for name, entry in held.items():
        if "hash" in entry and (name.startswith(("job:", "host:h1")) and "units" not in name and "aside" not in name):
            entry["hash"]["later"] = "x"
            if "spec" in entry["hash"]:
                entry["hash"]["spec"] = json.dumps({**json.loads(entry["hash"]["spec"]), "later": 1})
            if "progress" in entry["hash"]:
                entry["hash"]["progress"] = json.dumps({"/in": {"total": 1, "later": 2}})
        if name.endswith(":attempts"):
            entry["list"] = [json.dumps({**json.loads(text), "later": 1}) for text in entry["list"]]
    rows = held["project:default:data_stores"]["hash"]
    rows["mine"] = json.dumps({**json.loads(rows["mine"]), "later": 1})
    fill(raw, held, namespace)
    migrate(migration)
    (job,) = store.get_many(["00000000-0000-7000-8000-000000000002"])
    assert job.unknown == ("later",)
    assert job.earlier_attempts[0].exit_code == 3
    assert store.data_stores("default")[0].alias == "mine"
    assert len(store.host_views(["h1"])[0].jobs) == 6


def test_a_store_that_goes_back_in_time_below_a_process_is_met_as_what_it_is(store: Store, raw: Redis) -> None:
    """A backup of an older schema, restored below a process that runs."""
    submit(store)
    stamp(store, "")
    raw.delete(store._key("schema"))
    with pytest.raises(SchemaMismatch, match="has schema 1"):
        submit(store, "j2")
    assert Stamp.of("").schema == 1
