"""Buckets of a real S3 server, through the command line and the client."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from aitrain.domain.errors import BucketNotFound, DataStoreNotFound, InvalidInput
from tests.acceptance.conftest import Fleet
from workers.scratch.moto import MotoServer
from workers.scratch.site import CLI


@pytest.fixture(scope="module")
def fleet(make_fleet: Callable[..., Fleet]) -> Fleet:
    return make_fleet()


def test_up_and_down_again(fleet: Fleet, bucket: str, tmp_path: Path) -> None:
    def aitrain(*arguments: str, status: int = 0) -> str:
        env = {**os.environ, **fleet.site.environment()}
        done = subprocess.run([CLI, "bucket", *arguments], env=env, capture_output=True, text=True, check=False)
        assert done.returncode == status, done.stdout + done.stderr
        return done.stdout + done.stderr

    data = tmp_path / "data"
    (data / "deep").mkdir(parents=True)
    (data / "a").write_bytes(b"a" * 1000)
    (data / "deep" / "b").write_bytes(b"b")
    (data / "link").symlink_to("/etc/passwd")
    aitrain("create", f"{bucket}@s3")
    assert bucket in aitrain("list", "s3")
    assert "uploaded: 2 (1.0 kB), failed: 0" in aitrain("object", "upload", f"{bucket}@s3/set", str(data))
    assert sorted(fleet.objects(bucket)) == ["set/data/a", "set/data/deep/b"]
    aitrain("object", "copy", f"{bucket}@s3/set", f"{bucket}@s3/setting")
    aitrain("object", "download", f"{bucket}@s3/set", str(tmp_path / "back"))
    assert (tmp_path / "back/data/a").read_bytes() == b"a" * 1000
    assert sorted(path.name for path in (tmp_path / "back").rglob("*") if path.is_file()) == ["a", "b"]
    aitrain("object", "delete", f"{bucket}@s3/set")
    assert sorted(fleet.objects(bucket)) == ["setting/data/a", "setting/data/deep/b"]
    assert "failed: 1" in aitrain("object", "upload", f"{bucket}@s3", str(tmp_path / "none"), status=1)


def test_hostile_keys_stay_outside(
    make_fleet: Callable[..., Fleet], moto: MotoServer, bucket: str, tmp_path: Path
) -> None:
    fleet = make_fleet(s3=moto)
    fleet.s3.create_bucket(Bucket=bucket)
    for key in ("p/ok", "p/x", "p/x/y", "p/link/deep/z", "p/dir/", "p/../../evil", "p//evil"):
        fleet.s3.put_object(Bucket=bucket, Key=key, Body=key.encode())
    target = tmp_path / "inner" / "target"
    target.mkdir(parents=True)
    (tmp_path / "outside").mkdir()
    (target / "link").symlink_to(tmp_path / "outside")
    done = fleet.client.buckets.download(f"{bucket}@s3/p", target, tell=lambda _: None)
    assert sorted(one.name for one in done if one.error) == ["p/../../evil", "p//evil", "p/link/deep/z", "p/x/y"]
    assert (target / "ok").read_text() == "p/ok"
    assert not list((tmp_path / "outside").iterdir())
    assert not list(tmp_path.rglob("evil"))


def test_what_is_not_there(fleet: Fleet, bucket: str, tmp_path: Path) -> None:
    with pytest.raises(BucketNotFound):
        fleet.client.buckets.download(f"{bucket}@s3", tmp_path, tell=lambda _: None)
    with pytest.raises(DataStoreNotFound):
        fleet.client.buckets.list("none")
    with pytest.raises(InvalidInput):
        fleet.client.buckets.create("UPPER@s3")
