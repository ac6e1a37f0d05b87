"""What a receipt says, and the one way in which it is written down."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aitrain.domain.billing import LedgerLine, Policy, Terms
from aitrain.domain.canonical import canonical, digest
from aitrain.domain.job import Job
from aitrain.domain.listing import list_objects
from aitrain.domain.receipt import AttemptFacts, Issuer, Listings, receipt_of, spec_digest
from aitrain.domain.spec import JobSpec
from aitrain.domain.states import EndCause, InfoCode, State

ISSUER = Issuer("site", "EUR", Decimal("0.01"))
SPEC: dict[str, Any] = {
    "image": "registry.example/trainer:1", "command": ["python", "train.py"], "resources": {"gpu": 2},
    "volumes": ["data@s3/train:/data", "out@s3/runs:/out:rwd", "https://git.example/code.git@v1:/code"],
    "env": {"TOKEN": "hunter2"}, "name": "trial", "project": "vision", "user": "ann",
}  # fmt: skip
MOVES = [{"at_ms": 5, "state": "RUNNING", "attempt": 2, "code": "JOB_RUNNING"}]
DOCUMENTS = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text("abcXYZ_09", min_size=1), inner),
    max_leaves=8,
)


def facts(lines: Sequence[LedgerLine] = (), before: dict[str, Any] | None = None, **changes: Any) -> AttemptFacts:
    job = Job.model_validate(
        {
            "id": "j", "spec": JobSpec.of(**SPEC), "state": "DONE", "attempt": 2, "fence": "2.secret", "flavor": "h100",
            "kind": "gpu", "units": 2, "priority": 50, "hourly_price": "1.93", "timeout_s": 60,
            "auto_restart": False, "created_ms": 1, "state_ms": 9, "code": "JOB_DONE",
            "end_cause": "COMPLETED", "exit_code": 0, "host": "gpu-01",
            "unit_ids": ("GPU-a", "GPU-b"), "started_ms": 5, "finished_ms": 8, "image_id": "sha256:1",
            "image_digest": "sha256:2", "billed_minutes": sum(line.minutes for line in lines), "history": MOVES,
            **changes,
        }
    )  # fmt: skip
    listings = Listings({"/data": {"count": 1}, "/code": {"commit": "abc"}}, {"/out": {"count": 3, "deleted": 1}})
    return AttemptFacts(job, State.DONE, InfoCode.JOB_DONE, tuple(lines), listings, before)


def line(first: int, minutes: int, price: str) -> LedgerLine:
    terms = Terms("vision", "h100", 2, Decimal(price), "gpu-01", Policy.RUNNING)
    return LedgerLine("j", 2, first, minutes, 5 + first * 60_000, terms)


def test_a_receipt_says_what_the_attempt_was_given_did_and_cost() -> None:
    receipt = receipt_of(facts([line(0, 4, "1.93"), line(4, 1, "2.00")]), ISSUER, issued_ms=10)
    assert (receipt["job"], receipt["attempt"], receipt["project"], receipt["user"]) == ("j", 2, "vision", "ann")
    assert receipt["image"] == {"reference": SPEC["image"], "id": "sha256:1", "digest": "sha256:2"}
    assert receipt["command"] == ["python", "train.py"]
    assert (receipt["gpu_ids"], receipt["host"], receipt["exit_code"]) == (["GPU-a", "GPU-b"], "gpu-01", 0)
    assert receipt["end"] == {"state": "DONE", "code": "JOB_DONE", "cause": EndCause.COMPLETED}
    assert receipt["states"] == [{"state": "RUNNING", "at_ms": 5}]
    assert [(one["mount_path"], one["input"], one.get("output")) for one in receipt["volumes"]] == [
        ("/data", {"count": 1}, None),
        ("/out", None, {"count": 3, "deleted": 1}),
        ("/code", {"commit": "abc"}, None),
    ]
    assert "output" not in receipt["volumes"][0], "an ro volume has none"
    bill = receipt["bill"]
    assert (bill["minutes"], bill["price_minutes"], bill["amount"]) == (5, "19.44", "0.32")
    assert [(one["first"], one["minutes"], one["hourly_price"]) for one in bill["lines"]] == [
        (0, 4, "1.93"),
        (4, 1, "2.00"),
    ]


def test_of_results_that_are_pushed_later_the_first_receipt_says_what_was_given_and_owed() -> None:
    before = receipt_of(facts([line(0, 4, "1.93")], code="JOB_SYNC_FAILED"), ISSUER, issued_ms=10)
    outputs = {"/out": {"count": 4, "deleted": 0}}
    after = receipt_of(replace(facts(before=before, billed_minutes=4), listings=Listings({}, outputs)), ISSUER, 11)
    assert [one["input"] for one in after["volumes"]] == [one["input"] for one in before["volumes"]]
    assert after["volumes"][1]["output"] == outputs["/out"]
    assert (after["bill"], after["issued_ms"]) == (before["bill"], 11)


def test_a_receipt_is_not_made_of_half_a_bill() -> None:
    with pytest.raises(ValueError, match="5 minutes were billed, and the ledger has lines for 4"):
        receipt_of(facts([line(0, 4, "1.93")], billed_minutes=5), ISSUER, 1)


def test_a_receipt_holds_no_secret_and_can_be_signed() -> None:
    text = canonical(receipt_of(facts(), ISSUER, issued_ms=10)).decode()
    assert "hunter2" not in text
    assert "2.secret" not in text
    assert json.loads(text)["bill"] | {"lines": []} == {
        "minutes": 0, "policy": None, "price_minutes": "0", "amount": "0.00", "currency": "EUR", "lines": []
    }  # fmt: skip


def test_a_job_without_gpus_names_none() -> None:
    assert receipt_of(facts(kind="cpu", unit_ids=("0",)), ISSUER, 1)["gpu_ids"] == []


def test_the_digest_of_a_spec_is_of_all_that_was_asked_for() -> None:
    spec = JobSpec.of(**SPEC)
    again = JobSpec.of(**{**SPEC, "env": dict(SPEC["env"]), "timeout": None})
    assert spec_digest(spec) == spec_digest(again) == spec_digest(JobSpec.model_validate_json(spec.model_dump_json()))
    for changed in ({"env": {"TOKEN": "x"}}, {"command": ["python"]}, {"labels": {"a": "b"}}, {"env": {"TÖKEN": "1"}}):
        try:
            other = JobSpec.of(**{**SPEC, **changed})
        except ValueError:
            continue
        assert spec_digest(other) != spec_digest(spec)


@settings(max_examples=50)
@given(DOCUMENTS)
def test_canonical_json_is_json_and_of_one_form(document: Any) -> None:
    try:
        text = canonical(document)
    except UnicodeEncodeError:
        return  # half of a pair of UTF-16
    assert json.loads(text) == document
    assert canonical(json.loads(text)) == text
    assert b"\n" not in text


def test_canonical_json_is_as_rfc_8785_writes_it() -> None:
    assert (
        canonical({"b": [1, True, None], "a": '€\n\x0f"\\/\u007f'})
        == '{"a":"€\\n\\u000f\\"\\\\/\x7f","b":[1,true,null]}'.encode()
    )


@pytest.mark.parametrize("document", [1.0, {"a": [Decimal(1)]}, {1: 2}, {"é": 1}, {"a": {1, 2}}, b"x"])
def test_what_has_no_canonical_form_is_refused(document: Any) -> None:
    with pytest.raises(TypeError):
        canonical(document)


@given(st.lists(st.tuples(st.text("ab/é\n", min_size=1), st.integers(0, 9), st.text("0f"))), st.integers(0, 5))
def test_a_listing_counts_all_and_names_the_first(objects: list[tuple[str, int, str]], most: int) -> None:
    listing = list_objects(iter(objects), most)
    lines = b"".join(json.dumps(one, separators=(",", ":"), ensure_ascii=False).encode() + b"\n" for one in objects)
    assert listing == {
        "count": len(objects), "bytes": sum(size for _, size, _ in objects),
        "sha256": hashlib.sha256(lines).hexdigest(), "objects": [list(one) for one in objects[:most]],
    }  # fmt: skip
    assert digest(listing) == digest(list_objects(iter(objects), most))


def test_long_keys_leave_room_for_fewer_of_them() -> None:
    objects = [("k" * 1000, 1, "e")] * 10
    assert len(list_objects(objects, 10)["objects"]) == 1
    assert list_objects(objects, 10)["count"] == 10
