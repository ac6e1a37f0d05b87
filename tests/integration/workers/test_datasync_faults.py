"""What goes wrong in the middle of a copy: nothing is lost, nothing stale written, nothing begun anew without need."""

from __future__ import annotations

import mmap
import os
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from aitrain.domain.errors import PlatformFault, StepCancelled
from aitrain.domain.states import InfoCode
from tests.integration.workers.test_datasync_shared import age
from tests.integration.workers.volumes import Sync, objects, put
from workers.datasync import Cache, Disk, Room, push_all
from workers.datasync.crew import OUTAGE_FAILURES
from workers.datasync.large import LargeDownload, LargeUpload
from workers.datasync.small import SmallObjects
from workers.scratch.moto import MotoServer
from workers.scratch.servers import S3Server

PART = 256 * 1024


def test_one_volume_does_not_keep_the_others_from_being_pushed(
    s3: S3Server, s3_client: Any, bucket: str, tmp_path: Path
) -> None:
    one, two = (Sync(f"{bucket}@s3/{name}:/{name}:rw", s3, tmp_path / name) for name in ("one", "two"))
    for volume in (one, two):
        volume.sync.pull()
    Path(os.fsdecode(os.fsencode(one.data) + b"/not-utf8-\xff")).write_bytes(b"x")
    (two.data / "weights").write_bytes(b"1")
    with pytest.raises(PlatformFault, match="not UTF-8"):
        push_all([one.sync, two.sync])
    assert objects(s3_client, bucket) == {"two/weights": b"1"}


def test_of_several_faults_the_one_that_may_pass_counts(
    s3: S3Server, s3_client: Any, bucket: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    volume = Sync(f"{bucket}@s3:/out:rw", s3, tmp_path)
    volume.sync.pull()
    for number in range(3):
        (volume.data / str(number)).write_bytes(b"x")

    def refuse(self: SmallObjects, path: str, content: bytes) -> str:
        raise ClientError(
            {"Error": {"Code": "InvalidRequest" if path == "0" else "SlowDown"}, "ResponseMetadata": {}}, "PutObject"
        )

    monkeypatch.setattr(SmallObjects, "put", refuse)
    with pytest.raises(PlatformFault) as caught:
        volume.sync.push()
    assert caught.value.code is InfoCode.DATASYNC_PROGRESS_FAILED_TRANSIENT_ERROR
    assert volume.told[-1].failed == 3


def test_a_push_into_an_outage_is_given_up_before_it_has_tried_every_file(
    s3: S3Server, bucket: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    volume = Sync(f"{bucket}@s3:/out:rw", s3, tmp_path)
    volume.sync.pull()
    for number in range(OUTAGE_FAILURES * 4):
        (volume.data / str(number)).write_bytes(b"x")

    def away(self: SmallObjects, path: str, content: bytes) -> str:
        raise ClientError({"Error": {"Code": "503"}, "ResponseMetadata": {"HTTPStatusCode": 503}}, "PutObject")

    monkeypatch.setattr(SmallObjects, "put", away)
    with pytest.raises(PlatformFault):
        volume.sync.push()
    assert volume.told[-1].failed < OUTAGE_FAILURES * 2


@pytest.mark.parametrize("permission", ["rw", "rwd"])
def test_a_worker_that_lost_its_job_changes_nothing_there_any_more(
    permission: str, s3: S3Server, s3_client: Any, bucket: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(s3_client, bucket, {"a": b"first"})
    volume = Sync(f"{bucket}@s3:/out:{permission}", s3, tmp_path)
    volume.sync.pull()
    container = volume.sync._container()

    def hangs(*_: Any, **__: Any) -> Any:  # and meanwhile a newer attempt pushes
        volume.cancelled = True
        s3_client.put_object(Bucket=bucket, Key="a", Body=b"newer")
        raise ValueError("timed out")

    if permission == "rw":
        (volume.data / "a").write_bytes(b"stale!")
        monkeypatch.setattr("workers.datasync.small.obstore.put", hangs)
    else:
        (volume.data / "a").unlink()
        head = container.client.head_object

        def head_then_lose(**arguments: Any) -> Any:
            answer = head(**arguments)
            volume.cancelled = True
            return answer

        monkeypatch.setattr(container.client, "head_object", head_then_lose)
    with pytest.raises(StepCancelled):
        volume.sync.push()
    assert objects(s3_client, bucket) == {"a": b"newer" if permission == "rw" else b"first"}


def test_what_is_written_to_a_mapped_file_after_a_push_is_pushed_in_the_end(
    s3: S3Server, s3_client: Any, bucket: str, tmp_path: Path
) -> None:
    volume = Sync(f"{bucket}@s3:/out:rw", s3, tmp_path)
    volume.sync.pull()
    (volume.data / "log").write_bytes(bytes(4096))
    with (volume.data / "log").open("r+b") as file, mmap.mmap(file.fileno(), 4096) as mapped:
        mapped[:5] = b"step1"
        volume.sync.push(running=True)
        mapped[:5] = b"step2"
        volume.sync.push()
    assert objects(s3_client, bucket)["log"].startswith(b"step2")


def test_what_was_pushed_while_the_job_ran_and_did_not_change_is_not_sent_again(
    s3: S3Server, s3_client: Any, bucket: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    volume = Sync(f"{bucket}@s3:/out:rw", s3, tmp_path, sync={"part": PART})
    volume.sync.pull()
    content = {"large": os.urandom(3 * PART + 1), "small": b"1", "empty": b""}
    for name, body in content.items():
        (volume.data / name).write_bytes(body)
    volume.sync.push(running=True)
    monkeypatch.setattr(SmallObjects, "put", None)
    monkeypatch.setattr(LargeUpload, "send", None)
    volume.sync.push()
    assert objects(s3_client, bucket) == content


def test_a_directory_that_became_a_file_and_the_reverse(moto: MotoServer, bucket: str, tmp_path: Path) -> None:
    client = moto.client()  # of a server that does not keep keys as files, and so can hold both for a moment
    put(client, bucket, {"f": b"1", "d/x": b"2"})
    volume = Sync(f"{bucket}@s3:/out:rwd", moto, tmp_path)
    volume.sync.pull()
    (volume.data / "f").unlink()
    (volume.data / "f").mkdir()
    (volume.data / "f" / "y").write_bytes(b"3")
    (volume.data / "d" / "x").unlink()
    (volume.data / "d").rmdir()
    (volume.data / "d").write_bytes(b"4")
    volume.sync.push()
    assert objects(client, bucket) == {"d": b"4", "f/y": b"3"}


def test_a_lost_answer_to_the_end_of_an_upload_is_no_failure(
    s3: S3Server, s3_client: Any, bucket: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    volume = Sync(f"{bucket}@s3:/out:rw", s3, tmp_path, sync={"part": PART})
    volume.sync.pull()
    content = os.urandom(4 * PART)
    (volume.data / "large").write_bytes(content)
    client = volume.sync._container().slow_client
    complete = client.complete_multipart_upload

    def lost(**arguments: Any) -> Any:
        complete(**arguments)
        raise ClientError({"Error": {"Code": "NoSuchUpload"}, "ResponseMetadata": {}}, "CompleteMultipartUpload")

    monkeypatch.setattr(client, "complete_multipart_upload", lost)
    volume.sync.push()
    assert objects(s3_client, bucket) == {"large": content}


def test_a_part_that_is_spoilt_costs_the_object_once_more_and_not_the_pull(
    s3: S3Server, s3_client: Any, bucket: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = os.urandom(6 * PART)
    put(s3_client, bucket, {"large": content})
    fetch, spoilt = LargeDownload.fetch, []

    def spoil(self: LargeDownload, start: int, size: int) -> None:
        fetch(self, start, size)
        if start == PART and not spoilt:
            spoilt.append(start)
            os.pwrite(self._descriptor, b"spoilt", start)

    monkeypatch.setattr(LargeDownload, "fetch", spoil)
    volume = Sync(f"{bucket}@s3:/in", s3, tmp_path, sync={"part": PART})
    volume.sync.pull()
    assert volume.files() == {"large": content}
    assert volume.told[-1].completed == 1


def test_a_stop_while_a_large_file_is_checked_costs_nothing_of_it(
    s3: S3Server, s3_client: Any, bucket: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = os.urandom(6 * PART)
    put(s3_client, bucket, {"large": content})

    def stop(self: LargeDownload) -> None:
        raise StepCancelled("stopped")

    monkeypatch.setattr(LargeDownload, "verify", stop)
    with pytest.raises(StepCancelled):
        Sync(f"{bucket}@s3:/in", s3, tmp_path, sync={"part": PART}).sync.pull()
    monkeypatch.undo()
    monkeypatch.setattr(LargeDownload, "fetch", None)
    volume = Sync(f"{bucket}@s3:/in", s3, tmp_path, sync={"part": PART})
    volume.sync.pull()
    assert volume.files() == {"large": content}


def test_an_object_that_became_smaller_after_its_download_was_cut_off(
    s3: S3Server, s3_client: Any, bucket: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(s3_client, bucket, {"large": os.urandom(8 * PART)})

    def stop(self: LargeDownload) -> None:
        raise StepCancelled("stopped")

    monkeypatch.setattr(LargeDownload, "verify", stop)
    with pytest.raises(StepCancelled):
        Sync(f"{bucket}@s3:/in", s3, tmp_path, sync={"part": PART}).sync.pull()
    monkeypatch.undo()
    content = os.urandom(3 * PART)
    s3_client.put_object(Bucket=bucket, Key="large", Body=content)
    volume = Sync(f"{bucket}@s3:/in", s3, tmp_path, sync={"part": PART})
    volume.sync.pull()
    assert volume.files() == {"large": content}


def test_a_running_job_may_write_a_file_while_it_is_pulled(
    s3: S3Server, s3_client: Any, bucket: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(s3_client, bucket, {"old": b"1"})
    volume = Sync(f"{bucket}@s3:/data:rw", s3, tmp_path)
    volume.sync.pull()
    s3_client.put_object(Bucket=bucket, Key="old", Body=b"theirs")
    s3_client.put_object(Bucket=bucket, Key="new", Body=b"theirs")
    get = SmallObjects.get

    def meanwhile(self: SmallObjects, source: Any) -> bytes:
        (volume.data / source.path).write_bytes(b"the job's own")
        return get(self, source)

    monkeypatch.setattr(SmallObjects, "get", meanwhile)
    volume.sync.pull(running=True)
    assert volume.files() == {"old": b"the job's own", "new": b"the job's own"}
    assert volume.told[-1].skipped == 2


def test_a_cached_file_that_is_evicted_before_it_is_linked_is_fetched_again(
    s3: S3Server, s3_client: Any, bucket: str, tmp_path: Path
) -> None:
    put(s3_client, bucket, {"a": b"1"})
    cache = Cache(tmp_path)
    sync = {"disk": Disk(Room(tmp_path, 0, cache.make_room), cache), "project": "p"}
    volume = Sync(f"{bucket}@s3:/in:ro:cache", s3, tmp_path / "job", sync=sync)
    evicted: list[int] = []

    def checkpoint() -> None:
        if cache.size("p")[0] and not evicted:
            age(tmp_path)
            cache.make_room(10**9)
            evicted.append(1)

    volume.sync._checkpoint = checkpoint
    volume.sync.pull()
    assert evicted
    assert volume.files() == {"a": b"1"}


def test_a_cached_file_that_a_crash_cut_is_fetched_again(
    s3: S3Server, s3_client: Any, bucket: str, tmp_path: Path
) -> None:
    put(s3_client, bucket, {"a": b"12345"})
    cache = Cache(tmp_path)
    sync = {"disk": Disk(Room(tmp_path, 0, cache.make_room), cache), "project": "p"}
    Sync(f"{bucket}@s3:/in:ro:cache", s3, tmp_path / "one", sync=sync).sync.pull()
    for path in (tmp_path / "cache").rglob("*"):
        if path.is_file() and path.stat().st_size == 5:
            os.truncate(path, 0)
    volume = Sync(f"{bucket}@s3:/in:ro:cache", s3, tmp_path / "two", sync=sync)
    volume.sync.pull()
    assert volume.files() == {"a": b"12345"}
