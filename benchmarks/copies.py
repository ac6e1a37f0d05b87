"""The contenders that are Python: `python -m benchmarks.copies NAME DIRECTION URL BUCKET DIRECTORY`.

NAME: aitrain or boto3; DIRECTION: down, up, or plan for aitrain's plan of a pull.
"""

from __future__ import annotations

import os
import resource
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import boto3
from botocore.config import Config

from aitrain.domain.job import Direction, VolumeProgress
from aitrain.domain.volume import Volume
from aitrain.settings import DataStore
from workers.datasync import VolumeSync

THREADS = 16
OWNER = (42420, 42420)


def aitrain(direction: str, url: str, bucket: str, directory: Path) -> None:
    """A volume's pull or push, or its plan."""
    store = DataStore.model_validate(
        {
            "endpoint_url": url,
            "access_key_id": os.environ["AWS_ACCESS_KEY_ID"],
            "secret_access_key": os.environ["AWS_SECRET_ACCESS_KEY"],
        }
    )
    told: list[VolumeProgress] = []
    permission = "rw" if direction == "up" else "ro"
    sync = VolumeSync(
        Volume.parse(f"{bucket}@s3:/data:{permission}"), {"s3": store}, directory, owner=OWNER,
        checkpoint=lambda: None, report=told.append,
    )  # fmt: skip
    if direction == "plan":
        print(sync.preview(Direction.PULL).summary, file=sys.stderr)
    else:
        (sync.push if direction == "up" else sync.pull)()


def plain_boto3(direction: str, url: str, bucket: str, directory: Path) -> None:
    """What a script does: a listing or a walk, and boto3's managed transfers in threads."""
    client = boto3.client("s3", endpoint_url=url, config=Config(max_pool_connections=THREADS * 4))
    root = directory / "data"
    with ThreadPoolExecutor(THREADS) as pool:
        if direction == "up":
            paths = [path for path in root.rglob("*") if path.is_file()]
            list(pool.map(lambda path: client.upload_file(str(path), bucket, str(path.relative_to(root))), paths))
        else:
            pages = client.get_paginator("list_objects_v2").paginate(Bucket=bucket)
            keys = [item["Key"] for page in pages for item in page.get("Contents", ())]
            for parent in {(root / key).parent for key in keys}:
                parent.mkdir(parents=True, exist_ok=True)
            list(pool.map(lambda key: client.download_file(bucket, key, str(root / key)), keys))


CONTENDERS: dict[str, Callable[[str, str, str, Path], None]] = {"aitrain": aitrain, "boto3": plain_boto3}


def _used() -> float:
    now = resource.getrusage(resource.RUSAGE_SELF)
    return now.ru_utime + now.ru_stime


if __name__ == "__main__":
    name, direction, url, bucket, directory = sys.argv[1:]
    wall, cpu = time.monotonic(), _used()
    CONTENDERS[name](direction, url, bucket, Path(directory))
    print(f"TOOK {time.monotonic() - wall:.4f} {_used() - cpu:.4f}", file=sys.stderr)
