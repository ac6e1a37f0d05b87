"""A worker that is told to stop while it copies: it ends soon, and the next one begins the copy again."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

from tests.acceptance.conftest import QUICK, Fleet, eventually
from workers.scratch.link import Condition, Link
from workers.scratch.servers import DockerEngine, S3Server


def test_a_stop_during_a_long_copy_costs_the_job_nothing(
    make_fleet: Callable[..., Fleet], engine: DockerEngine, s3: S3Server, s3_client: Any, bucket: str
) -> None:
    s3_client.create_bucket(Bucket=bucket)
    s3_client.put_object(Bucket=bucket, Key="a", Body=b"data")
    link = Link(int(s3.url.rpartition(":")[2])).start()
    slow = SimpleNamespace(
        url=f"http://127.0.0.1:{link.port}", region=s3.region, access_key_id=s3.access_key_id,
        secret_access_key=s3.secret_access_key, client=s3.client,
    )  # fmt: skip
    fleet = make_fleet(s3=slow, timing=QUICK | {"worker_stop_seconds": 0.5, "step_lease_seconds": 30})
    worker = fleet.site.host("h1", {"cpu": 1}, engine.url, role="worker")
    try:
        with fleet.site.host("h1", {"cpu": 1}, engine.url, role="agent"), worker:
            link.be(Condition.FROZEN)
            job = fleet.submit("cat", "/data/a", volumes=[f"{bucket}@s3:/data:ro"])
            fleet.until(job, "INITIALIZING")
            eventually(lambda: "sync_in" in worker.log.read_text(), what="its copy")
            process = worker.process
            assert process is not None
            process.send_signal(signal.SIGTERM)
            told = time.monotonic()
            assert process.wait(20) == 0
            # It hangs for as long as a client of S3 has patience, and its lease for half a minute.
            assert time.monotonic() - told < 15
            assert "1 steps at work are given up; another worker begins them again" in worker.log.read_text()
            link.be(Condition.OPEN)
            worker.start()
            ended = fleet.end(job)
    finally:
        link.stop()
    assert (ended.state, ended.attempt) == ("DONE", 1), ended.message
    assert fleet.log(ended) == ["data"]
