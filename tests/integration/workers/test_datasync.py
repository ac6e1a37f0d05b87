"""Copies between a real S3 server and a real disk."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from aitrain.domain.errors import PlatformFault, StepCancelled, UserFault
from aitrain.domain.job import Direction, VolumeProgress
from aitrain.domain.listing import list_objects
from aitrain.domain.states import InfoCode
from tests.integration.workers.volumes import OWNER, Sync, objects, put
from workers.scratch.servers import S3Server, free_port


def pushed(**counts: int) -> VolumeProgress:
    return VolumeProgress(direction=Direction.PUSH, **counts)


def test_only_what_is_under_the_prefix_is_copied(s3: S3Server, s3_client: Any, bucket: str, tmp_path: Path) -> None:
    put(s3_client, bucket, {"train/a": b"1", "train/deep/ü b": b"2", "training/c": b"3", "d": b"4", "train/empty": b""})
    volume = Sync(f"{bucket}@s3/train:/data", s3, tmp_path)
    volume.sync.pull()
    assert volume.files() == {"a": b"1", "deep/ü b": b"2", "empty": b""}
    assert (volume.data / "deep").stat().st_uid == OWNER[0]
    assert (volume.data / "a").stat().st_uid == OWNER[0]
    assert volume.told[-1] == VolumeProgress(total=3, processed=3, completed=3, bytes=2, bytes_total=2)


def test_what_was_copied_is_not_copied_again(s3: S3Server, s3_client: Any, bucket: str, tmp_path: Path) -> None:
    put(s3_client, bucket, {"a": b"1", "b": b"2"})
    Sync(f"{bucket}@s3:/data", s3, tmp_path).sync.pull()
    s3_client.put_object(Bucket=bucket, Key="b", Body=b"new")
    again = Sync(f"{bucket}@s3:/data", s3, tmp_path)
    (again.data / "a").touch()
    again.sync.pull()
    assert again.files() == {"a": b"1", "b": b"new"}
    third = Sync(f"{bucket}@s3:/data", s3, tmp_path)
    third.sync.pull()
    assert third.told[-1] == VolumeProgress(total=2, processed=2, skipped=2)


def test_a_volume_tells_what_it_was_filled_with_and_what_was_pushed_in_any_try(
    s3: S3Server, s3_client: Any, bucket: str, tmp_path: Path
) -> None:
    put(s3_client, bucket, {"run/same": b"same", "run/changed": b"old", "run/gone": b"gone", "beside": b"x"})
    text = f"{bucket}@s3/run:/out:rwd"
    assert Sync(text, s3, tmp_path).sync.pulled(9) is None, "not known yet"
    volume = Sync(text, s3, tmp_path)
    volume.sync.pull()
    filled = volume.sync.pulled(9)
    assert filled is not None
    assert [key for key, _, _ in filled["objects"]] == ["run/changed", "run/gone", "run/same"]
    assert volume.sync.pushed(9) == list_objects([], 9) | {"deleted": 0}

    (volume.data / "changed").write_bytes(b"new")
    (volume.data / "gone").unlink()
    volume.sync.push()
    (volume.data / "made").write_bytes(b"made later, in a try after a crash")
    again = Sync(text, s3, tmp_path)
    again.sync.push()
    told = again.sync.pushed(9)
    assert told is not None
    held = {item["Key"]: item for item in s3_client.list_objects_v2(Bucket=bucket)["Contents"]}
    assert told["objects"] == [
        [key, held[key]["Size"], held[key]["ETag"].strip('"')] for key in ("run/changed", "run/made")
    ]
    assert (told["count"], told["deleted"]) == (2, 1)


def test_new_and_changed_files_are_pushed_and_nothing_is_deleted(
    s3: S3Server, s3_client: Any, bucket: str, tmp_path: Path
) -> None:
    put(s3_client, bucket, {"out/same": b"same", "out/changed": b"old", "out/removed": b"kept", "beside": b"x"})
    volume = Sync(f"{bucket}@s3/out:/out:rw", s3, tmp_path)
    volume.sync.pull()
    (volume.data / "changed").write_bytes(b"new")
    (volume.data / "removed").unlink()
    (volume.data / "deep").mkdir()
    (volume.data / "deep" / "made").write_bytes(b"made")
    volume.sync.push()
    assert objects(s3_client, bucket) == {
        "out/same": b"same", "out/changed": b"new", "out/removed": b"kept", "out/deep/made": b"made", "beside": b"x",
    }  # fmt: skip
    assert volume.told[-1] == pushed(total=3, processed=3, completed=2, skipped=1, bytes=7, bytes_total=7)
    volume.sync.push()
    assert volume.told[-1] == pushed(total=3, processed=3, skipped=3), "a second push has nothing to do"


def test_large_objects_go_in_parts(s3: S3Server, s3_client: Any, bucket: str, tmp_path: Path) -> None:
    content = os.urandom(20 * 1024 * 1024 + 17)
    volume = Sync(f"{bucket}@s3:/out:rw", s3, tmp_path / "one")
    volume.sync.pull()
    (volume.data / "large").write_bytes(content)
    volume.sync.push()
    back = Sync(f"{bucket}@s3:/in", s3, tmp_path / "two")
    back.sync.pull()
    assert back.files() == {"large": content}


def test_a_missing_container_is_made_for_rw_and_a_fault_for_ro(
    s3: S3Server, s3_client: Any, bucket: str, tmp_path: Path
) -> None:
    with pytest.raises(UserFault, match="no such container") as caught:
        Sync(f"{bucket}@s3:/in", s3, tmp_path / "ro").sync.pull()
    assert caught.value.code is InfoCode.DATASYNC_INVALID_CONTAINER
    with pytest.raises(ClientError):
        s3_client.head_bucket(Bucket=bucket)
    Sync(f"{bucket}@s3:/out:rw", s3, tmp_path / "rw").sync.pull()
    s3_client.head_bucket(Bucket=bucket)


def test_a_wrong_key(s3: S3Server, s3_client: Any, bucket: str, tmp_path: Path) -> None:
    put(s3_client, bucket, {"a": b"1"})
    for wrong in ({"access_key_id": "nobody"}, {"secret_access_key": "wrong-secret"}):
        with pytest.raises(UserFault, match="correct the keys") as caught:
            Sync(f"{bucket}@s3:/in", s3, tmp_path, **wrong).sync.pull()
        assert caught.value.code is InfoCode.DATASYNC_PROGRESS_FAILED_INVALID_CREDENTIALS
        assert "wrong-secret" not in str(caught.value)


def test_an_unknown_data_store(s3: S3Server, tmp_path: Path) -> None:
    with pytest.raises(UserFault, match="there is no data store 'other'") as caught:
        Sync("data@other:/in", s3, tmp_path).sync.pull()
    assert caught.value.code is InfoCode.DATASYNC_DATA_STORE_NOT_FOUND


def test_a_store_that_does_not_answer_is_our_fault(
    s3: S3Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    with pytest.raises(PlatformFault, match="does not answer") as caught:
        Sync("data@s3:/in", s3, tmp_path, endpoint_url=f"http://127.0.0.1:{free_port()}").sync.pull()
    assert caught.value.code is InfoCode.DATASYNC_PROGRESS_FAILED_TRANSIENT_ERROR


def test_a_copy_is_given_up_when_told(s3: S3Server, s3_client: Any, bucket: str, tmp_path: Path) -> None:
    put(s3_client, bucket, {f"{n}": b"x" for n in range(20)})
    volume = Sync(f"{bucket}@s3:/in", s3, tmp_path)
    volume.cancelled = True
    with pytest.raises(StepCancelled):
        volume.sync.pull()
    assert volume.files() == {}


def test_what_a_job_leaves_behind_is_not_followed(s3: S3Server, s3_client: Any, bucket: str, tmp_path: Path) -> None:
    volume = Sync(f"{bucket}@s3:/out:rw", s3, tmp_path / "v")
    volume.sync.pull()
    secret = tmp_path / "secret"
    secret.write_text("secret")
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "file").write_text("secret")
    (volume.data / "good").write_text("good")
    (volume.data / "link").symlink_to(secret)
    (volume.data / "dir").symlink_to(tmp_path / "outside")
    os.mkfifo(volume.data / "pipe")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(volume.data / "socket"))
        volume.sync.push()
    assert objects(s3_client, bucket) == {"good": b"good"}
    assert volume.told[-1] == pushed(total=5, processed=5, completed=1, skipped=4, bytes=4, bytes_total=4)


def test_what_cannot_be_pushed_does_not_keep_the_rest_from_it(
    s3: S3Server, s3_client: Any, bucket: str, tmp_path: Path
) -> None:
    volume = Sync(f"{bucket}@s3:/out:rw", s3, tmp_path)
    volume.sync.pull()
    (volume.data / "good").write_bytes(b"good")
    (Path(os.fsdecode(os.fsencode(volume.data) + b"/not-utf8-\xff"))).write_bytes(b"x")
    with pytest.raises(PlatformFault, match="not UTF-8"):
        volume.sync.push()
    assert objects(s3_client, bucket) == {"good": b"good"}
    assert volume.told[-1] == pushed(total=2, processed=2, completed=1, failed=1, bytes=4, bytes_total=4)


def test_a_tree_that_is_too_deep_is_told(s3: S3Server, s3_client: Any, bucket: str, tmp_path: Path) -> None:
    volume = Sync(f"{bucket}@s3:/out:rw", s3, tmp_path)
    volume.sync.pull()
    (volume.data / "good").write_bytes(b"good")
    here = os.open(volume.data, os.O_RDONLY)
    for _ in range(1500):
        os.mkdir("d", dir_fd=here)
        inner = os.open("d", os.O_RDONLY, dir_fd=here)
        os.close(here)
        here = inner
    os.close(here)
    with pytest.raises(PlatformFault, match="too many directories deep"):
        volume.sync.push()
    assert objects(s3_client, bucket) == {"good": b"good"}
    # pytest itself could not remove such a tree.
    subprocess.run(["rm", "-rf", str(volume.data)], check=True)


def test_a_link_on_the_way_is_not_followed_by_a_pull(s3: S3Server, s3_client: Any, bucket: str, tmp_path: Path) -> None:
    put(s3_client, bucket, {"sub/cron": b"evil"})
    volume = Sync(f"{bucket}@s3:/data", s3, tmp_path / "v")
    (tmp_path / "etc").mkdir()
    volume.data.mkdir(parents=True)
    (volume.data / "sub").symlink_to(tmp_path / "etc")
    volume.sync.pull(running=True)
    assert (volume.data / "sub").is_symlink(), "what a running job did is left alone"
    assert volume.told[-1].skipped == 1
    volume.sync.pull()
    assert volume.files() == {"sub/cron": b"evil"}, "before it runs there is nothing of its own yet"
    assert list((tmp_path / "etc").iterdir()) == []


def test_rwd_deletes_what_the_job_deleted_and_nothing_else(
    s3: S3Server, s3_client: Any, bucket: str, tmp_path: Path
) -> None:
    put(s3_client, bucket, {"out/gone": b"1", "out/kept": b"2", "out/replaced": b"3", "beside": b"4", "out/d/x": b"5"})
    volume = Sync(f"{bucket}@s3/out:/out:rwd", s3, tmp_path)
    volume.sync.pull()
    for name in ("gone", "replaced"):
        (volume.data / name).unlink()
    (volume.data / "d" / "x").unlink()
    (volume.data / "d").rmdir()
    (volume.data / "d").symlink_to("/etc")
    s3_client.put_object(Bucket=bucket, Key="out/later", Body=b"another job's")
    s3_client.put_object(Bucket=bucket, Key="out/replaced", Body=b"another job's")
    volume.sync.push(running=True)
    assert len(objects(s3_client, bucket)) == 6, "nothing is deleted while it runs"
    volume.sync.push()
    assert objects(s3_client, bucket) == {
        "out/kept": b"2", "out/later": b"another job's", "out/replaced": b"another job's", "beside": b"4",
        "out/d/x": b"5",
    }  # fmt: skip
    assert volume.told[-1].deleted == 1


def test_rwd_deletes_nothing_while_anything_is_not_pushed(
    s3: S3Server, s3_client: Any, bucket: str, tmp_path: Path
) -> None:
    put(s3_client, bucket, {"gone": b"1"})
    volume = Sync(f"{bucket}@s3:/out:rwd", s3, tmp_path)
    volume.sync.pull()
    (volume.data / "gone").unlink()
    unfit = Path(os.fsdecode(os.fsencode(volume.data) + b"/not-utf8-\xff"))
    unfit.write_bytes(b"x")
    with pytest.raises(PlatformFault, match="not UTF-8"):
        volume.sync.push()
    assert objects(s3_client, bucket) == {"gone": b"1"}
    unfit.unlink()
    volume.sync.push()
    assert objects(s3_client, bucket) == {}


def test_a_volume_that_vanished_deletes_nothing(s3: S3Server, s3_client: Any, bucket: str, tmp_path: Path) -> None:
    put(s3_client, bucket, {"a": b"1"})
    volume = Sync(f"{bucket}@s3:/out:rwd", s3, tmp_path)
    volume.sync.pull()
    shutil.rmtree(volume.data)
    with pytest.raises(PlatformFault, match="not on this host any more") as caught:
        volume.sync.push()
    assert caught.value.code is InfoCode.JOB_SYNC_FAILED
    assert objects(s3_client, bucket) == {"a": b"1"}


def test_a_preview_changes_nothing(s3: S3Server, s3_client: Any, bucket: str, tmp_path: Path) -> None:
    put(s3_client, bucket, {"a": b"1", "b": b"22"})
    volume = Sync(f"{bucket}@s3:/out:rwd", s3, tmp_path)
    before = volume.sync.preview(Direction.PULL)
    assert before.lines == ("download: 'a' (1 bytes)", "download: 'b' (2 bytes)")
    assert before.summary == "2 x download; 3 bytes to copy"
    assert not volume.data.exists()
    volume.sync.pull()
    (volume.data / "a").unlink()
    (volume.data / "c").write_bytes(b"333")
    assert volume.sync.preview(Direction.PUSH).lines == ("delete object: 'a'", "upload: 'c' (3 bytes)")
    assert objects(s3_client, bucket) == {"a": b"1", "b": b"22"}


def test_a_file_that_is_written_to_while_it_is_pushed(
    s3: S3Server, s3_client: Any, bucket: str, tmp_path: Path
) -> None:
    volume = Sync(f"{bucket}@s3:/out:rw", s3, tmp_path)
    volume.sync.pull()
    log = volume.data / "log"
    log.write_bytes(b"begun")
    over = threading.Event()

    def grow() -> None:
        with log.open("ab") as file:
            while not over.wait(0.0005):
                file.write(b"more\n")
                file.flush()

    writer = threading.Thread(target=grow)
    writer.start()
    try:
        volume.sync.push(running=True)
        assert objects(s3_client, bucket)["log"].startswith(b"begun")
    finally:
        over.set()
        writer.join()
    volume.sync.push()
    assert objects(s3_client, bucket)["log"] == log.read_bytes(), "what it became is pushed in the end"


def test_two_jobs_may_make_one_container_at_once(s3: S3Server, bucket: str, tmp_path: Path) -> None:
    volumes = [Sync(f"{bucket}@s3:/out:rw", s3, tmp_path / str(number)) for number in range(6)]
    with ThreadPoolExecutor(6) as pool:
        list(pool.map(lambda volume: volume.sync.pull(), volumes))


def test_a_check_makes_nothing(s3: S3Server, s3_client: Any, bucket: str, tmp_path: Path) -> None:
    Sync(f"{bucket}@s3:/out:rw", s3, tmp_path / "rw").sync.check()
    with pytest.raises(UserFault):
        Sync(f"{bucket}@s3:/in", s3, tmp_path / "ro").sync.check()
    with pytest.raises(ClientError):
        s3_client.head_bucket(Bucket=bucket)
