"""Copies to and from a second make of S3 server: what holds against one must not be its own peculiarity."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from aitrain.domain.errors import UserFault
from aitrain.domain.job import VolumeProgress
from aitrain.domain.states import InfoCode
from aitrain.domain.volume import Volume
from aitrain.settings import DataStore
from workers.datasync import VolumeSync
from workers.scratch.moto import MotoServer

LARGE = os.urandom(20 * 1024**2 + 17)


def volume(text: str, moto: MotoServer, directory: Path, told: list[VolumeProgress]) -> VolumeSync:
    store = DataStore.model_validate(
        {
            "endpoint_url": moto.url,
            "access_key_id": moto.access_key_id,
            "secret_access_key": moto.secret_access_key,
        }
    )
    return VolumeSync(
        Volume.parse(text), {"s3": store}, directory, owner=(42420, 42420), checkpoint=lambda: None, report=told.append
    )


def test_there_and_back(moto: MotoServer, bucket: str, tmp_path: Path) -> None:
    told: list[VolumeProgress] = []
    out = volume(f"{bucket}@s3/run:/out:rw", moto, tmp_path / "out", told)
    out.check()
    out.pull()
    content = {"large": LARGE, "deep/ü b": b"small", "empty": b"", "name with\ttab": b"x"}
    for path, body in content.items():
        (out.mounted / path).parent.mkdir(exist_ok=True)
        (out.mounted / path).write_bytes(body)
    out.push()
    assert (told[-1].completed, told[-1].failed) == (4, 0)
    out.push()
    assert (told[-1].completed, told[-1].skipped) == (0, 4), "a second push has nothing to do"
    back = volume(f"{bucket}@s3/run:/in", moto, tmp_path / "in", told)
    back.pull()
    found = {str(p.relative_to(back.mounted)): p.read_bytes() for p in back.mounted.rglob("*") if p.is_file()}
    assert found == content


def test_a_missing_container(moto: MotoServer, bucket: str, tmp_path: Path) -> None:
    with pytest.raises(UserFault) as caught:
        volume(f"{bucket}@s3:/in", moto, tmp_path, []).pull()
    assert caught.value.code is InfoCode.DATASYNC_INVALID_CONTAINER
