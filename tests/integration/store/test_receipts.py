"""What is noted when an attempt ends, and what becomes of it."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from aitrain.domain.billing import Policy, amount
from aitrain.domain.job import Job
from aitrain.domain.receipt import Listings
from aitrain.domain.retry import Again
from aitrain.domain.states import EndCause, InfoCode, State
from aitrain.settings import Settings, load_settings
from aitrain.signing import Signer, write_new_key
from aitrain.store import HostTiming, Store
from tests.integration.store.test_billing import FEBRUARY_MS, HOUR, SECOND, OneHost
from tests.integration.store.test_verbs import placed, queued
from workers.receipts import sign_ended
from workers.scratch.servers import RedisServer

INPUTS = {"/data": {"count": 1, "bytes": 1, "sha256": "ab", "objects": [["a", 1, "e"]]}}
OUTPUTS = {"/out": {"count": 0, "bytes": 0, "sha256": "cd", "objects": [], "deleted": 2}}


@pytest.fixture(scope="module")
def signer(tmp_path_factory: pytest.TempPathFactory) -> Signer:
    return write_new_key(tmp_path_factory.mktemp("keys") / "key.pem")


@pytest.fixture
def settings(namespace: str) -> Settings:
    return load_settings(namespace=namespace)


def move(store: Store, job: Job, to: State, **told: Any) -> None:
    assert store.transition(job.id, job.fence, to, **told).moved


def run(store: Store, **fields: Any) -> Job:
    """A job whose container has ended with exit code 0."""
    job = placed(store, volumes=["data@s3:/data", "data@s3/out:/out:rwd"], **fields)
    move(store, job, State.PENDING, listing=("inputs", INPUTS))
    move(store, job, State.RUNNING, fields={"started_ms": 5, "image_id": "sha256:1", "image_digest": "sha256:2"})
    move(store, job, State.FINALIZING, cause=EndCause.COMPLETED, fields={"exit_code": 0, "finished_ms": 9})
    return job


def listings_of(receipt: dict[str, Any]) -> Listings:
    volumes = receipt["volumes"]
    return Listings(
        {one["mount_path"]: one["input"] for one in volumes if one["input"]},
        {one["mount_path"]: one["output"] for one in volumes if one.get("output")},
    )


def leftovers(store: Store, job: Job) -> list[str]:
    """The keys that exist until a receipt is signed."""
    names = [store._key(name, job.id, attempt) for name in ("ended", "manifest") for attempt in (1, 2)]
    return [name for name in [*names, store._key("unsigned")] if store._redis.exists(name)]


def test_where_nobody_signs_nothing_is_kept(store: Store) -> None:
    assert not store.makes_receipts()
    job = run(store)
    move(store, job, State.DONE, listing=("outputs", OUTPUTS))
    assert leftovers(store, job) == []
    assert store.receipts(job.id) == {}


def test_an_end_becomes_a_receipt_once(store: Store, signer: Signer, settings: Settings) -> None:
    store.signing()
    assert store.makes_receipts()
    job = run(store)
    move(store, job, State.DONE, listing=("outputs", OUTPUTS))
    (end,) = store.unsigned_ends()
    assert sign_ended(store, signer, settings) == 1
    assert sign_ended(store, signer, settings) == 0
    assert not store.put_receipt(end, {}, 0), "another worker was faster"
    assert leftovers(store, job) == []
    receipt = store.receipts(job.id)[1]["receipt"]
    assert (receipt["job"], receipt["host"], receipt["exit_code"]) == (job.id, "h1", 0)
    assert receipt["end"] == {"state": "DONE", "code": "JOB_DONE", "cause": "COMPLETED"}
    assert receipt["image"] == {"reference": "x", "id": "sha256:1", "digest": "sha256:2"}
    assert [one["state"] for one in receipt["states"]] == [
        "QUEUED", "INITIALIZING", "PENDING", "RUNNING", "FINALIZING", "DONE"
    ]  # fmt: skip
    assert [one["at_ms"] for one in receipt["states"]] == [entry.at_ms for entry in store.get(job.id).history]
    assert listings_of(receipt).inputs == INPUTS
    assert listings_of(receipt).outputs == OUTPUTS
    assert store._redis.ttl(store._key("receipts", job.id)) > 300 * 86_400


def test_each_attempt_of_a_retried_job_has_its_own(store: Store, signer: Signer, settings: Settings) -> None:
    store.signing()
    job = run(store)
    move(store, job, State.QUEUED, again=Again.OWN, message="again")
    (end,) = store.unsigned_ends()
    assert (end.facts.state, end.facts.code, end.facts.job.attempt) == (State.QUEUED, InfoCode.JOB_QUEUED, 1)
    second = store.get(job.id)
    store.stop(job.id, "stopped")
    assert sign_ended(store, signer, settings) == 2
    first, last = (store.receipts(job.id)[number]["receipt"] for number in (1, 2))
    assert (first["end"]["state"], first["end"]["cause"], first["exit_code"]) == ("QUEUED", "COMPLETED", 0)
    assert (last["end"]["state"], last["end"]["cause"], last["exit_code"]) == ("INTERRUPTED", "STOPPED", None)
    assert [one["state"] for one in first["states"]][-2:] == ["FINALIZING", "QUEUED"]
    assert [one["state"] for one in last["states"]] == ["QUEUED", "INTERRUPTED"]
    assert (last["host"], last["volumes"][0]["input"]) == ("", None), "nothing of the first one"
    assert second.attempt == 2


def test_a_start_makes_no_end_of_its_own(store: Store, signer: Signer, settings: Settings) -> None:
    store.signing()
    job = run(store)
    move(store, job, State.DONE)
    assert sign_ended(store, signer, settings) == 1
    store.start(job.id, "again")
    assert sign_ended(store, signer, settings) == 0


def test_the_receipts_of_a_deleted_job_stay(store: Store, signer: Signer, settings: Settings) -> None:
    store.signing()
    job = run(store)
    store.delete(job.id, force=True, message="deleted")
    move(store, job, State.DONE, listing=("outputs", OUTPUTS))
    assert store.get_many([job.id]) == [], "it was deleted with its last move"
    assert sign_ended(store, signer, settings) == 1
    assert store.receipts(job.id)[1]["receipt"]["end"]["state"] == "DONE"


def test_results_that_are_pushed_later_make_the_receipt_anew(store: Store, signer: Signer, settings: Settings) -> None:
    store.signing()
    job = run(store)
    move(store, job, State.ERROR, code=InfoCode.JOB_SYNC_FAILED, keep_ms=0)
    (end,) = store.unsigned_ends()
    assert sign_ended(store, signer, settings) == 1
    before = store.receipts(job.id)[1]["receipt"]
    assert (before["end"]["state"], listings_of(before).outputs) == ("ERROR", {})
    store.join_host("h1", instance="one", units={"cpu": ["0"]}, max_jobs=9, timing=HostTiming(60_000, 120_000))
    assert store.retry_push(job.id, "pushed again").done
    move(store, job, State.DONE, listing=("outputs", OUTPUTS))
    assert not store.put_receipt(end, {}, 0), "it was made of facts that do not stand any more"
    assert sign_ended(store, signer, settings) == 1
    after = store.receipts(job.id)[1]["receipt"]
    assert (after["end"]["state"], after["end"]["cause"]) == ("DONE", "COMPLETED")
    assert (listings_of(after).inputs, listings_of(after).outputs) == (INPUTS, OUTPUTS)


def test_an_end_that_cannot_be_read_does_not_stand_in_the_way(store: Store, signer: Signer, settings: Settings) -> None:
    store.signing()
    spoilt, sound = queued(store), queued(store)
    for job in (spoilt, sound):
        store.stop(job.id, "stopped")
    store._redis.hset(store._key("ended", spoilt.id, 1), "job", "[]")
    assert sign_ended(store, signer, settings) == 1
    assert list(store.receipts(sound.id)) == [1]
    assert store.receipts(spoilt.id) == {}
    assert store._redis.zscore(store._key("unsigned"), f"{spoilt.id}/1") > store.get(sound.id).state_ms + 3_000_000


def test_facts_that_nobody_signed_lapse(store: Store) -> None:
    store.signing()
    job = queued(store)
    store.stop(job.id, "stopped")
    for name in leftovers(store, job):
        assert 0 < store._redis.ttl(name) <= 30 * 86_400, name
    assert 0 < store._redis.ttl(store._key("signing")) <= 86_400
    store._redis.delete(store._key("ended", job.id, 1))
    assert store.unsigned_ends() == []
    assert leftovers(store, job) == []


def test_a_listing_of_an_attempt_that_is_over_changes_nothing(store: Store, signer: Signer, settings: Settings) -> None:
    store.signing()
    job = run(store)
    move(store, job, State.QUEUED, again=Again.OWN)
    late = store.transition(job.id, job.fence, State.DONE, listing=("outputs", OUTPUTS))
    assert not late.moved
    sign_ended(store, signer, settings)
    assert listings_of(store.receipts(job.id)[1]["receipt"]).outputs == {}


def test_a_receipt_bills_what_the_ledger_has_over_months_and_prices(
    redis: RedisServer, namespace: str, signer: Signer, settings: Settings
) -> None:
    site = OneHost(redis.url, namespace)
    site.store.signing()
    site.store.set_billing(Policy.INITIALIZING, {"v100s": Decimal("1.93")})
    site.now_ms = FEBRUARY_MS - 2 * HOUR
    job_id = site.placed(gpu=2)
    site.now_ms += 90 * SECOND
    site.move(job_id, State.PENDING)
    site.move(job_id, State.RUNNING, ran_ms=0)
    site.now_ms += HOUR
    site.seen(job_id, HOUR)
    site.store.set_billing(Policy.INITIALIZING, {"v100s": Decimal("2.5")})
    site.now_ms += 2 * HOUR
    site.move(job_id, State.FINALIZING, ran_ms=3 * HOUR, cause=EndCause.COMPLETED)
    site.move(job_id, State.DONE)
    lines = site.lines(job_id)
    assert sign_ended(site.store, signer, settings) == 1
    bill = site.store.receipts(job_id)[1]["receipt"]["bill"]
    assert [(one["first"], one["minutes"], one["begins_ms"], one["hourly_price"]) for one in bill["lines"]] == [
        (line.first, line.minutes, line.begins_ms, str(line.terms.hourly_price)) for line in lines
    ]
    assert len(lines) == 3
    assert (bill["minutes"], bill["policy"]) == (182, "initializing")
    assert Decimal(bill["price_minutes"]) == sum(line.price_minutes for line in lines)
    assert bill["amount"] == str(amount(lines))
    site.store.close()


def test_results_that_are_pushed_before_the_first_receipt_are_billed_all_the_same(
    store: Store, signer: Signer, settings: Settings
) -> None:
    store.signing()
    job = run(store)
    move(store, job, State.ERROR, code=InfoCode.JOB_SYNC_FAILED, keep_ms=0)
    assert store.retry_push(job.id, "pushed again").done
    move(store, job, State.DONE, listing=("outputs", OUTPUTS))
    assert sign_ended(store, signer, settings) == 1
    receipt = store.receipts(job.id)[1]["receipt"]
    assert (receipt["bill"]["minutes"], receipt["end"]["state"]) == (1, "DONE")
    assert (listings_of(receipt).inputs, listings_of(receipt).outputs) == (INPUTS, OUTPUTS)
