"""Objects that go in parts: both ways, and again from where they were cut off."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from aitrain.domain.errors import StepCancelled
from tests.integration.workers.volumes import OWNER, Sync, objects, put, rclone_check
from workers.datasync import VolumeSync
from workers.datasync.large import LargeDownload, LargeUpload, part_bytes, ranges
from workers.scratch.servers import S3Server

PART = 256 * 1024
COPY = """
import os, sys
from aitrain.domain.volume import Volume
from aitrain.settings import DataStore
from pathlib import Path
from workers.datasync import VolumeSync
url, key, secret, text, directory, way = sys.argv[1:]
store = DataStore(endpoint_url=url, access_key_id=key, secret_access_key=secret)
sync = VolumeSync(
    Volume.parse(text), {"s3": store}, Path(directory), owner=(42420, 42420), checkpoint=lambda: None,
    report=lambda now: None, part=256 * 1024,
)
print("ready", flush=True)
getattr(sync, way)()
"""


def test_parts_cover_an_object_and_are_not_too_many() -> None:
    for size in (1, PART, PART + 1, 10 * PART - 1):
        pieces = ranges(size, PART)
        assert [start for _, start, _ in pieces] == [PART * n for n in range(len(pieces))]
        assert sum(length for _, _, length in pieces) == size
    assert len(ranges(5 * 1024**4, part_bytes(5 * 1024**4, 8 * 1024**2))) <= 10_000


def test_large_objects_go_both_ways_in_parts(s3: S3Server, s3_client: Any, bucket: str, tmp_path: Path) -> None:
    content = os.urandom(5 * PART + 17)
    out = Sync(f"{bucket}@s3:/out:rw", s3, tmp_path / "out", sync={"part": PART})
    out.sync.pull()
    (out.data / "large").write_bytes(content)
    (out.data / "exact").write_bytes(content[: 2 * PART])
    out.sync.push()
    assert objects(s3_client, bucket) == {"large": content, "exact": content[: 2 * PART]}
    assert (out.told[-1].completed, out.told[-1].bytes) == (2, out.told[-1].bytes_total)
    back = Sync(f"{bucket}@s3:/in", s3, tmp_path / "in", sync={"part": PART})
    back.sync.pull()
    assert back.files() == {"large": content, "exact": content[: 2 * PART]}
    assert (back.data / "large").stat().st_uid == OWNER[0]
    assert (back.told[-1].completed, back.told[-1].bytes) == (2, 7 * PART + 17)


def test_a_download_goes_on_where_it_was_cut_off(
    s3: S3Server, s3_client: Any, bucket: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = os.urandom(20 * PART)
    put(s3_client, bucket, {"large": content})
    begun: list[int] = []
    fetched: list[int] = []
    fetch = LargeDownload.fetch

    def some(self: LargeDownload, start: int, size: int) -> None:
        begun.append(start)
        if len(begun) > 7:
            raise StepCancelled("stopped")
        fetch(self, start, size)
        fetched.append(start)

    monkeypatch.setattr(LargeDownload, "fetch", some)
    with pytest.raises(StepCancelled):
        Sync(f"{bucket}@s3:/in", s3, tmp_path, sync={"part": PART}).sync.pull()
    monkeypatch.undo()
    before = set(fetched)

    def rest(self: LargeDownload, start: int, size: int) -> None:
        assert start not in before, "this part was there"
        fetch(self, start, size)

    monkeypatch.setattr(LargeDownload, "fetch", rest)
    again = Sync(f"{bucket}@s3:/in", s3, tmp_path, sync={"part": PART})
    again.sync.pull()
    assert again.files() == {"large": content}
    assert list((tmp_path / "parts").iterdir()) == []


def test_an_upload_goes_on_where_it_was_cut_off(
    s3: S3Server, s3_client: Any, bucket: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = os.urandom(20 * PART)
    volume = Sync(f"{bucket}@s3:/out:rw", s3, tmp_path, sync={"part": PART})
    volume.sync.pull()
    (volume.data / "large").write_bytes(content)
    begun: list[int] = []
    sent: list[int] = []
    send = LargeUpload.send

    def some(self: LargeUpload, number: int, start: int, size: int) -> None:
        begun.append(number)
        if len(begun) > 7:
            raise StepCancelled("stopped")
        send(self, number, start, size)
        sent.append(number)

    monkeypatch.setattr(LargeUpload, "send", some)
    with pytest.raises(StepCancelled):
        volume.sync.push()
    monkeypatch.undo()
    assert objects(s3_client, bucket) == {}, "an object is there whole or not at all"
    held: list[set[int]] = []
    complete = LargeUpload.complete

    def noting(self: LargeUpload) -> str:
        held.append(set(self._there))
        return complete(self)

    monkeypatch.setattr(LargeUpload, "complete", noting)
    Sync(f"{bucket}@s3:/out:rw", s3, tmp_path, sync={"part": PART}).sync.push()
    assert objects(s3_client, bucket) == {"large": content}
    assert held[0] >= set(sent), "the parts that were sent were found"


def test_a_file_that_changed_meanwhile_is_sent_anew(
    s3: S3Server, s3_client: Any, bucket: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    volume = Sync(f"{bucket}@s3:/out:rw", s3, tmp_path, sync={"part": PART})
    volume.sync.pull()
    (volume.data / "large").write_bytes(os.urandom(6 * PART))

    def stop(self: LargeUpload) -> str:
        raise StepCancelled("stopped")

    monkeypatch.setattr(LargeUpload, "complete", stop)
    with pytest.raises(StepCancelled):
        volume.sync.push()
    monkeypatch.undo()
    content = os.urandom(4 * PART + 1)
    (volume.data / "large").write_bytes(content)
    volume.sync.push()
    assert objects(s3_client, bucket) == {"large": content}


@pytest.mark.parametrize("way", ["pull", "push"])
def test_a_sync_that_is_killed_ten_times_is_equal_in_the_end(
    way: str, s3: S3Server, s3_client: Any, bucket: str, tmp_path: Path
) -> None:
    chance = random.Random(way)
    content = {f"d{n % 7}/{n}": chance.randbytes(n * 37) for n in range(400)}
    content |= {f"large{n}": chance.randbytes(9 * PART + n) for n in range(4)}
    text = f"{bucket}@s3:/data:rwd"
    volume = Sync(text, s3, tmp_path, sync={"part": PART})
    if way == "pull":
        put(s3_client, bucket, content)
    else:
        put(s3_client, bucket, {f"old{n}": b"to be deleted" for n in range(50)})
        volume.sync.pull()
        for name in list(volume.files()):
            (volume.data / name).unlink()
        for name, body in content.items():
            (volume.data / name).parent.mkdir(exist_ok=True)
            (volume.data / name).write_bytes(body)
    command = [
        sys.executable, "-c", COPY, s3.url, s3.access_key_id, s3.secret_access_key, text, str(tmp_path), way,
    ]  # fmt: skip
    killed = 0
    for _ in range(10):
        with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
            assert process.stdout is not None
            process.stdout.readline()
            time.sleep(chance.uniform(0.05, 0.6))
            process.send_signal(signal.SIGKILL)
            killed += process.wait() == -signal.SIGKILL
    assert killed >= 3, "most of them were in the middle"
    subprocess.run(command, check=True)
    if way == "pull":
        assert volume.files() == content
    rclone_check(volume.data, bucket, s3)
    with_nothing_to_do: list[Any] = []
    last = VolumeSync.__new__(VolumeSync)
    last.__dict__.update(volume.sync.__dict__, _report=with_nothing_to_do.append)
    getattr(last, way)()
    assert with_nothing_to_do[-1].completed == 0
