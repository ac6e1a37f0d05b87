"""Receipts of real jobs, checked as somebody would who trusts nobody: with the file, the site's public key, no site."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from aitrain import Job, JobState
from aitrain.domain.canonical import canonical
from aitrain.domain.errors import ReceiptNotFound
from aitrain.domain.receipt import spec_digest
from aitrain.signing import Signer
from tests.acceptance.conftest import QUICK, Fleet, eventually
from workers.scratch.images import BUSYBOX_IMAGE
from workers.scratch.servers import DockerEngine
from workers.scratch.site import CLI


def cli(*arguments: str, cwd: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [CLI, *arguments], cwd=cwd, env={**os.environ, **environment}, check=False, capture_output=True, text=True
    )


@pytest.fixture(scope="module")
def key(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site's private key, as the command makes it."""
    path = tmp_path_factory.mktemp("keys") / "receipts.pem"
    made = cli("receipt", "new-key", str(path), cwd=path.parent)
    assert made.returncode == 0, made.stderr
    assert made.stdout == Signer.of(path).public_key
    return path


@pytest.fixture(scope="module")
def fleet(make_fleet: Callable[..., Fleet], engine: DockerEngine, key: Path) -> Iterator[Fleet]:
    fleet = make_fleet(
        timing={**QUICK, "retry_pause_seconds": 0.2}, receipts={"key_file": str(key), "listed_objects": 3}
    )
    with ExitStack() as stack:
        for process in (fleet.site.control(), fleet.site.beat(), fleet.site.host("h1", {"cpu": 4}, engine.url)):
            stack.enter_context(process)
        eventually(fleet.client._store.makes_receipts, what="a control worker with the key")
        yield fleet


def test_a_control_worker_with_a_key_notes_ends_from_its_start_on(make_fleet: Callable[..., Fleet], key: Path) -> None:
    without_beat = make_fleet(receipts={"key_file": str(key)})
    with without_beat.site.control():
        eventually(without_beat.client._store.makes_receipts, what="its word, before any sweep")


def receipt_of(fleet: Fleet, job: Job, attempt: int | None = None) -> dict[str, Any]:
    def found() -> dict[str, Any] | None:
        try:
            return dict(fleet.client.receipt(job.id, attempt)["receipt"])
        except ReceiptNotFound:
            return None

    return dict(eventually(found, what="a receipt"))


def named(objects: dict[str, bytes]) -> list[list[Any]]:
    """What S3 says of objects that were put whole: key, size, ETag."""
    return [[key, len(body), hashlib.md5(body).hexdigest()] for key, body in sorted(objects.items())]  # noqa: S324


def test_a_receipt_names_the_exact_objects_and_verifies_in_an_empty_directory(
    fleet: Fleet, bucket: str, key: Path, tmp_path: Path
) -> None:
    given = {"in/a": b"1", "in/b/c": b"22"}
    fleet.s3.create_bucket(Bucket=bucket)
    for name, body in {**given, "run/gone": b"x", "run/same": b"y", "run/changed": b"old", "beside": b"z"}.items():
        fleet.s3.put_object(Bucket=bucket, Key=name, Body=body)
    volumes = [f"{bucket}@s3/in:/in", f"{bucket}@s3/run:/run1:rwd"]
    command = ("sh", "-c", "cat /in/a > /run1/made; rm /run1/gone; echo new > /run1/changed")
    job = fleet.end(fleet.submit(*command, volumes=volumes, env={"TOKEN": "hunter2"}, user="ann"))
    assert job.state == JobState.DONE, job.message

    receipt = receipt_of(fleet, job)
    assert (receipt["job"], receipt["attempt"], receipt["user"], receipt["host"]) == (job.id, 1, "ann", "h1")
    assert receipt["command"] == list(command)
    assert receipt["spec_sha256"] == spec_digest(job.spec)
    assert receipt["image"] == {"reference": BUSYBOX_IMAGE, "id": job.image_id, "digest": ""}
    assert receipt["image"]["id"].startswith("sha256:")
    assert (receipt["exit_code"], receipt["end"]["state"], receipt["end"]["cause"]) == (0, "DONE", "COMPLETED")
    assert [one["state"] for one in receipt["states"]] == [entry.state for entry in job.history]
    first, second = receipt["volumes"]
    assert first["input"]["objects"] == named(given)
    assert second["input"]["objects"] == named({"run/gone": b"x", "run/same": b"y", "run/changed": b"old"})
    assert second["output"]["objects"] == named({"run/changed": b"new\n", "run/made": b"1"})
    assert second["output"]["deleted"] == 1
    assert receipt["bill"]["minutes"] == 1
    assert receipt["bill"]["currency"] == "EUR"
    assert "hunter2" not in json.dumps(receipt)

    shown = cli("receipt", "show", job.name, cwd=tmp_path, **fleet.site.environment())
    assert shown.returncode == 0, shown.stderr
    (tmp_path / "receipt.json").write_text(shown.stdout)
    (tmp_path / "site.pem").write_text(Signer.of(key).public_key)
    away = {"AITRAIN_REDIS_URL": "redis://127.0.0.1:1/0"}
    valid = cli("receipt", "verify", "receipt.json", "--key", "site.pem", cwd=tmp_path, **away)
    assert valid.returncode == 0, valid.stderr
    (tmp_path / "forged.json").write_text(shown.stdout.replace(bucket, "other-bucket"))
    forged = cli("receipt", "verify", "forged.json", "--key", "site.pem", cwd=tmp_path, **away)
    assert (forged.returncode, "changed after it was signed" in forged.stderr) == (1, True)


def test_a_long_listing_is_cut_and_its_digest_is_of_all(fleet: Fleet, bucket: str) -> None:
    objects = {f"{number}": b"x" * number for number in range(5)}
    fleet.s3.create_bucket(Bucket=bucket)
    for name, body in objects.items():
        fleet.s3.put_object(Bucket=bucket, Key=name, Body=body)
    job = fleet.end(fleet.submit("true", volumes=[f"{bucket}@s3:/data"]))
    listing = receipt_of(fleet, job)["volumes"][0]["input"]
    assert (listing["count"], listing["bytes"], listing["objects"]) == (5, 10, named(objects)[:3])
    every = b"".join(canonical(one) + b"\n" for one in named(objects))
    assert listing["sha256"] == hashlib.sha256(every).hexdigest()


def test_each_attempt_of_a_retried_job_has_a_receipt_and_they_outlive_the_job(fleet: Fleet) -> None:
    job = fleet.submit("sh", "-c", "exit 3", max_retries=1)
    fleet.end(job)
    first, last = receipt_of(fleet, job, 1), receipt_of(fleet, job, 2)
    assert [(one["exit_code"], one["end"]["state"], one["bill"]["minutes"]) for one in (first, last)] == [
        (3, "QUEUED", 1), (3, "FAILED", 1)
    ]  # fmt: skip
    assert receipt_of(fleet, job) == last
    assert fleet.client.delete(job.id).done
    assert receipt_of(fleet, job, 1) == first
    with pytest.raises(ReceiptNotFound, match="attempt 3"):
        fleet.client.receipt(job.id, 3)


def test_a_job_that_never_ran_has_a_receipt_that_says_so(fleet: Fleet) -> None:
    job = fleet.end(fleet.submit("true", image="localhost:1/none:1", platform_retries=0))
    receipt = receipt_of(fleet, job)
    assert (receipt["end"]["cause"], receipt["exit_code"], receipt["started_ms"]) == (
        "REGISTRY_UNAVAILABLE",
        None,
        None,
    )
    assert (receipt["bill"]["minutes"], receipt["bill"]["amount"], receipt["image"]["id"]) == (0, "0.00", "")
