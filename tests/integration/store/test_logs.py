"""Logs in the store, and reading them with the parts that lie in the object store."""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from aitrain import log_reader
from aitrain.broker import Broker
from aitrain.domain.admission import Site, admit
from aitrain.domain.datastore import DataStoreEntry
from aitrain.domain.errors import InvalidInput, LogUnavailable
from aitrain.domain.flavor import BUILT_IN
from aitrain.domain.job import Job
from aitrain.domain.logs import NOTICE, LogLine, chunk_key, format_lines, pack_chunk
from aitrain.domain.spec import JobSpec
from aitrain.log_reader import LogReader
from aitrain.sealing import data_store_text
from aitrain.settings import DataStore, Settings, load_settings
from aitrain.store import DueLog, LogState, Store
from aitrain.vault import add_key
from workers import kept_logs
from workers.machine import Machine
from workers.scratch.servers import RedisServer, S3Server

SITE = Site(BUILT_IN, {"s3"}, 100, 1000)
RING = 2000


def queued(store: Store, project: str = "default") -> Job:
    spec = JobSpec.of(image="x", resources={"cpu": 1}, project=project)
    return store.submit(str(uuid.uuid4()), admit(spec, SITE)).job


def numbered(first: int, end: int) -> list[LogLine]:
    return [LogLine("2026-11-22T10:00:00.1Z", f"line {number}") for number in range(first, end)]


def raw(lines: list[LogLine]) -> list[bytes]:
    return format_lines(lines).encode().splitlines()


def append(store: Store, job: Job, first: int, end: int, ring: int = RING, kept: bool = False) -> int:
    lines = numbered(first, end)
    return store.append_log(job.id, job.fence, first=first, lines=raw(lines), ring_bytes=ring, kept=kept).next


def register(store: Store, job: Job, first: int, count: int, size: int = 100, most: int = 10**9) -> list[int]:
    return store.register_log_chunk(job.id, job.fence, first=first, count=count, size=size, max_bytes=most)


def ring(store: Store, job: Job, first: int = 0) -> list[int]:
    found = store.log_ring(job.id, 1, first)
    assert all(line.text == f"line {number}" for number, line in found)
    return [number for number, _ in found]


def end(store: Store, job: Job) -> None:
    assert store.stop(job.id, "").done
    assert store.get(job.id).ended


def test_lines_are_taken_once_and_in_order(store: Store) -> None:
    job = queued(store)
    assert store.log_stand(job.id, job.fence).next == 0
    assert append(store, job, 0, 3) == append(store, job, 0, 3) == 3
    assert append(store, job, 1, 6) == 6, "the store has had a part of these"
    assert ring(store, job) == [*range(6)]
    assert ring(store, job, 4) == [4, 5]
    assert append(store, job, 9, 10) == 10, "a gap stays one"
    assert ring(store, job, 4) == [4, 5, 9]


def test_another_attempt_and_an_unknown_job_take_nothing(store: Store) -> None:
    job = queued(store)
    for job_id, fence in ((job.id, "1.other"), ("nobody", "1.x")):
        assert not store.append_log(job_id, fence, first=0, lines=raw(numbered(0, 1)), ring_bytes=RING).known
        assert not store.log_stand(job_id, fence).known
    assert store.log_state(job.id, 1) == LogState()


def test_a_lost_fence_does_not_take_the_log_of_the_attempt_that_there_is(store: Store) -> None:
    job = queued(store)
    # Given a host that was placed the same attempt, by a store that has forgotten it.
    lost = f"{job.attempt}.0000000000000000"
    store.register_log_chunk(job.id, lost, first=0, count=2, size=30, max_bytes=100)
    store.end_log(job.id, lost, total=2)
    assert store.log_state(job.id, job.attempt) == LogState()
    assert append(store, job, 0, 3) == 3


def test_the_oldest_lines_fall_out_of_the_ring(store: Store) -> None:
    job = queued(store)
    for first in range(0, 1000, 10):
        append(store, job, first, first + 10)
    held = ring(store, job)
    assert held == [*range(held[0], 1000)]
    assert len(format_lines(numbered(held[0], 1000))) <= RING
    assert store.log_state(job.id, 1).ring_first == held[0] > 900


def test_a_log_that_is_too_long_loses_its_middle(store: Store) -> None:
    job = queued(store)
    cut = [register(store, job, first, 10, most=400) for first in range(0, 80, 10)]
    assert cut == [[], [], [], [], [20], [30], [40], [50]]
    assert register(store, job, 70, 10, most=400) == [50], "the same answer to the same call"
    assert register(store, job, 30, 10, most=400) == [30], "uploaded anew by one that did not know"
    state = store.log_state(job.id, 1)
    assert [first for first, _ in state.chunks] == [0, 10, 60, 70]
    assert (state.cut_from, state.cut_to, state.cut_lines, state.cut_bytes) == (20, 60, 40, 400)


def test_the_ring_goes_when_all_lies_in_the_object_store(store: Store) -> None:
    job = queued(store)
    append(store, job, 0, 20)
    register(store, job, 0, 10)
    store.end_log(job.id, job.fence, total=20)
    assert ring(store, job) == [*range(20)]
    register(store, job, 10, 10)
    assert ring(store, job) == []
    assert store.log_state(job.id, 1).total == 20


def test_logs_are_due_after_their_time_and_with_their_job(store: Store) -> None:
    job, other = queued(store), queued(store)
    append(store, other, 0, 1)
    append(store, job, 0, 1)
    register(store, job, 0, 1)
    assert store.due_logs(9, 0) == []
    end(store, job)
    end(store, other)
    store.delete(job.id, force=False, message="")
    store.delete(other.id, force=False, message="")
    assert [(due.job_id, due.attempt, due.project) for due in store.due_logs(9, 0)] == [(job.id, 1, job.project)]
    assert register(store, job, 1, 1) == [1], "what comes late goes again"
    store.forget_log(store.due_logs(9, 0)[0])
    assert store.due_logs(9, 0) == []
    assert not store._redis.keys(f"{store._key('job', job.id)}:*")


# ── with the object store ───────────────────────────────────────────────────────────────────────────────────────────


class Site3:
    """A store, a container, and a control worker that answers at once: the reader's message is its call."""

    def __init__(self, url: str, s3: S3Server, namespace: str, s3_client: Any, key_file: Path) -> None:
        access = {"endpoint_url": s3.url, "region": s3.region, "access_key_id": s3.access_key_id}
        self.settings: Settings = load_settings(
            redis_url=url, namespace=namespace, logs={"container": f"{namespace}@s3/kept"},
            secrets={"key_file": key_file},
            data_stores={"s3": {**access, "secret_access_key": s3.secret_access_key}},
        )  # fmt: skip
        self.machine = Machine(self.settings)
        self.store, self.s3 = self.machine.store, s3_client
        self.s3.create_bucket(Bucket=namespace)

    def upload(self, job: Job, first: int, end: int, most: int = 10**9) -> None:
        lines = numbered(first, end)
        self.s3.put_object(
            Bucket=self.settings.namespace, Key=chunk_key("kept", job.project, job.id, 1, first),
            Body=pack_chunk(format_lines(lines).encode()),
        )  # fmt: skip
        register(self.store, job, first, end - first, most=most)

    def read(self, job: Job, tail: int | None = None, answering: bool = True, lost: int = 0) -> list[LogLine]:
        """lost: so many messages do not arrive."""
        broker, to_lose = Broker(self.settings), iter(range(lost))
        if answering:
            broker.send_chunk = lambda token, *_: (  # type: ignore[method-assign]
                kept_logs.read_log_chunk(self.machine, token) if next(to_lose, None) is None else None
            )
        reader = LogReader(self.store, broker, job.id, None, wait_s=(2 if lost else 20) if answering else 0.1)
        return list(reader.lines(follow=False, tail=tail, since_ms=None))

    def objects(self) -> list[str]:
        return [one["Key"] for one in self.s3.list_objects_v2(Bucket=self.settings.namespace).get("Contents", [])]


@pytest.fixture
def site(redis: RedisServer, s3: S3Server, namespace: str, tmp_path: Path) -> Iterator[Site3]:
    add_key(tmp_path / "secrets.key")
    return Site3(redis.url, s3, namespace, s3.client(), tmp_path / "secrets.key")


def told(lines: Sequence[LogLine]) -> list[str]:
    return [line.text.removeprefix("line ") if line.stream != NOTICE else line.text for line in lines]


def test_parts_and_ring_are_read_as_one_log(site: Site3) -> None:
    job = queued(site.store)
    append(site.store, job, 0, 300, kept=True)
    for first in range(0, 250, 50):
        site.upload(job, first, first + 50)
    append(site.store, job, 300, 400, ring=1, kept=True)
    site.upload(job, 250, 300)
    assert told(site.read(job)) == [str(number) for number in range(400)]
    assert told(site.read(job, tail=130)) == [str(number) for number in range(270, 400)]
    assert not site.store._redis.keys(f"{{{site.settings.namespace}}}:log_chunk:*")


def test_what_was_cut_is_said(site: Site3) -> None:
    job = queued(site.store)
    for first in range(0, 60, 10):
        site.upload(job, first, first + 10, most=300)
    lines = told(site.read(job))
    assert lines == [
        *map(str, range(10)),
        "[aitrain: 30 lines are left out here: the log passed its limit; its beginning and its end are kept]",
        *map(str, range(40, 60)),
    ]


def test_without_an_object_store_the_log_says_what_it_lost(site: Site3) -> None:
    job = queued(site.store)
    append(site.store, job, 0, 100)
    append(site.store, job, 100, 110, ring=1)
    first, *rest = told(site.read(job))
    assert first.startswith("[aitrain: 100 lines are left out here: the site keeps the newest lines only")
    assert rest == [str(number) for number in range(100, 110)]


def test_lines_that_the_ring_lacks_are_read_from_the_object_store_or_said(
    site: Site3, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(log_reader, "POLL_SECONDS", 0.01)
    # A store that lost its last second goes on with what it is sent next.
    job = queued(site.store)
    for first in (0, 20, 40):
        append(site.store, job, first, first + 10)
    site.upload(job, 8, 20)
    assert told(site.read(job)) == [
        *map(str, range(30)),
        "[aitrain: 10 lines are left out here: they are not in the object store, or not yet]",
        *map(str, range(40, 50)),
    ]


def test_lines_that_no_control_worker_reads_are_no_silent_gap(site: Site3) -> None:
    job = queued(site.store)
    site.upload(job, 0, 10)
    with pytest.raises(LogUnavailable, match="no control worker"):
        site.read(job, answering=False)


def test_a_part_whose_message_was_lost_is_asked_for_again(site: Site3) -> None:
    job = queued(site.store)
    site.upload(job, 0, 10)
    assert told(site.read(job, lost=1)) == [str(number) for number in range(10)]


def test_logs_that_cannot_be_removed_hold_up_no_others(site: Site3, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kept_logs, "BATCH", 2)
    away = DataStore(endpoint_url="http://127.0.0.1:1", access_key_id="k", secret_access_key=SecretStr("s"))
    entry = DataStoreEntry(
        project="stuck", alias="s3", endpoint_url=away.endpoint_url, region="", access_key_id="***", revision="1",
        checked=True, added_ms=0,
    )  # fmt: skip
    assert site.machine.vault.newest
    site.store.put_data_store(entry, site.machine.vault.newest.seal("data_store/stuck/s3", data_store_text(away)))
    jobs = [*(queued(site.store, "stuck") for _ in range(5)), queued(site.store)]
    for job in jobs:
        register(site.store, job, 0, 1)
        end(site.store, job)
        site.store.delete(job.id, force=False, message="")
    site.store._redis.zadd(site.store._key("log_ends"), {f"{job.id}/1": -1 for job in jobs if job.project == "stuck"})
    assert kept_logs.remove_due(site.machine) == 1
    assert {due.project for due in site.store.due_logs(9, 0)} == {"stuck"}


def test_a_log_whose_time_is_past_says_so(site: Site3) -> None:
    job = queued(site.store)
    site.upload(job, 0, 10)
    end(site.store, job)
    site.store.forget_log(DueLog(job.project, job.id, 1))
    assert told(site.read(job)) == ["[aitrain: the log was removed: its time was past (logs.retention_seconds)]"]
    site.store.delete(job.id, force=False, message="")
    assert not site.store._redis.keys(f"{site.store._key('job', job.id)}:*")


def test_an_attempt_that_was_not_made_is_refused(site: Site3) -> None:
    job = queued(site.store)
    for attempt in (0, 2):
        with pytest.raises(InvalidInput, match="give 1 to 1"):
            LogReader(site.store, Broker(site.settings), job.id, attempt, 1)


def test_a_deleted_jobs_log_goes_from_the_object_store(site: Site3) -> None:
    job, other = queued(site.store), queued(site.store)
    for one in (job, other):
        site.upload(one, 0, 10)
    end(site.store, job)
    site.store.delete(job.id, force=False, message="")
    assert kept_logs.remove_due(site.machine) == 1
    assert [other.id in key for key in site.objects()] == [True]
    assert kept_logs.remove_due(site.machine) == 0
