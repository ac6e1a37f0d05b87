"""Buckets of a real S3 server, through the command line and the client."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner

from aitrain.cli.app import app
from aitrain.domain.errors import BucketNotFound, DataStoreNotFound, InvalidInput
from tests.acceptance.conftest import Fleet
from workers.scratch.moto import MotoServer


@pytest.fixture(scope="module")
def fleet(make_fleet: Callable[..., Fleet]) -> Fleet:
    return make_fleet()


def test_up_and_down_again(fleet: Fleet, bucket: str, tmp_path: Path) -> None:
    def aitrain(*arguments: str, status: int = 0) -> str:
        done = CliRunner(env=fleet.site.environment()).invoke(app, ["bucket", *arguments])
        assert done.exit_code == status, done.output
        return done.output

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
    for words in (["upload", f"{bucket}@s3/new", str(data)], ["download", f"{bucket}@s3/set", str(tmp_path / "new")],
                  ["copy", f"{bucket}@s3/set", f"{bucket}@s3/new"], ["delete", f"{bucket}@s3/set"]):  # fmt: skip
        told = aitrain("object", *words, "--dry-run")
        assert f"would {words[0]} " in told
        assert ": 2 (1.0 kB), failed: 0" in told
    assert len(fleet.objects(bucket)) == 4, "nothing was done"
    assert not (tmp_path / "new").exists()
    assert "Delete 2 objects (1.0 kB) under" in aitrain("object", "delete", f"{bucket}@s3/set", status=1)
    assert len(fleet.objects(bucket)) == 4, "nobody said yes"
    aitrain("object", "delete", f"{bucket}@s3/set/data/a")
    aitrain("object", "delete", f"{bucket}@s3/set", "--yes")
    assert sorted(fleet.objects(bucket)) == ["setting/data/a", "setting/data/deep/b"]
    assert "failed: 1" in aitrain("object", "upload", f"{bucket}@s3", str(tmp_path / "none"), status=1)
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "a").touch()
    (tmp_path / os.fsdecode(b"\xff")).touch()
    os.mkfifo(tmp_path / "pipe")
    given = [f"{data}/", *(str(tmp_path / name) for name in ("other/a", os.fsdecode(b"\xff"), "pipe"))]
    said = aitrain("object", "upload", f"{bucket}@s3/plain", *given, status=1)
    assert all(why in said for why in ("has its key already", "is not UTF-8", "no plain file", "2 (1.0 kB), failed: 3"))
    assert fleet.objects(bucket)["plain/a"] == b"a" * 1000


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
    done = fleet.client.buckets.download(f"{bucket}@s3/p", target)
    assert sorted(one.name for one in done if one.error) == ["p/../../evil", "p//evil", "p/link/deep/z", "p/x/y"]
    assert (target / "ok").read_text() == "p/ok"
    assert not list((tmp_path / "outside").iterdir())
    assert not list(tmp_path.rglob("evil"))
    fleet.s3.put_object(Bucket=bucket, Key="p/x/x", Body=b"")
    for done in (fleet.client.buckets.download(f"{bucket}@s3/p/x", tmp_path / "x"),
                 fleet.client.buckets.copy(f"{bucket}@s3/p/x", f"{bucket}@s3/new")):  # fmt: skip
        assert [one.name for one in done if one.error] == ["p/x/x"], "it would replace p/x"
    assert (tmp_path / "x" / "x").read_text() == "p/x"


def test_what_is_not_there(fleet: Fleet, bucket: str, tmp_path: Path) -> None:
    with pytest.raises(BucketNotFound):
        fleet.client.buckets.download(f"{bucket}@s3", tmp_path)
    with pytest.raises(DataStoreNotFound):
        fleet.client.buckets.list("none")
    with pytest.raises(InvalidInput):
        fleet.client.buckets.create("UPPER@s3")
    for path in (str(tmp_path), tmp_path):
        with pytest.raises(InvalidInput, match="give a list"):
            fleet.client.buckets.upload(f"{bucket}@s3", path, dry_run=True)  # type: ignore[arg-type,unused-ignore]
