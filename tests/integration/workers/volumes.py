"""A volume of a test, and what it told."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

from aitrain.domain.errors import StepCancelled
from aitrain.domain.job import VolumeProgress
from aitrain.domain.volume import Volume
from aitrain.settings import DataStore
from workers.datasync import VolumeSync
from workers.scratch.moto import MotoServer
from workers.scratch.servers import S3Server

OWNER = (42420, 42420)


class Sync:
    """A volume over a real S3 server."""

    def __init__(
        self, text: str, s3: S3Server | MotoServer, directory: Path, *, sync: dict[str, Any] | None = None, **store: Any
    ) -> None:
        values = {
            "endpoint_url": s3.url,
            "access_key_id": s3.access_key_id,
            "secret_access_key": s3.secret_access_key,
            **store,
        }
        self.told: list[VolumeProgress] = []
        self.cancelled = False
        self.sync = VolumeSync(
            Volume.parse(text), {"s3": DataStore(**values)}, directory, owner=OWNER, checkpoint=self._checkpoint,
            report=self.told.append, **(sync or {}),
        )  # fmt: skip
        self.data = self.sync.mounted

    def _checkpoint(self) -> None:
        if self.cancelled:
            raise StepCancelled("stopped")

    def files(self) -> dict[str, bytes]:
        """Its regular files."""
        return {str(p.relative_to(self.data)): p.read_bytes() for p in self.data.rglob("*") if p.is_file()}


def put(s3_client: Any, bucket: str, objects: dict[str, bytes]) -> None:
    """Makes a container with objects."""
    s3_client.create_bucket(Bucket=bucket)
    for key, body in objects.items():
        s3_client.put_object(Bucket=bucket, Key=key, Body=body)


def objects(s3_client: Any, bucket: str) -> dict[str, bytes]:
    """What a container holds."""
    listed = s3_client.list_objects_v2(Bucket=bucket).get("Contents", [])
    return {item["Key"]: s3_client.get_object(Bucket=bucket, Key=item["Key"])["Body"].read() for item in listed}


def rclone_check(directory: Path, bucket: str, s3: S3Server) -> None:
    """Compares a directory and a container by a tool that is not ours, byte by byte."""
    remote = (
        f":s3,provider=Other,endpoint='{s3.url}',access_key_id={s3.access_key_id},"
        f"secret_access_key={s3.secret_access_key}:{bucket}"
    )
    rclone = Path(sys.executable).parent / "rclone"
    done = subprocess.run(
        [rclone, "--config", "/dev/null", "check", "--download", directory, remote],
        check=False, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
