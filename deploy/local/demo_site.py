"""The site of the demo: real servers, a data set, a training image, and aitrain's own processes over them."""

from __future__ import annotations

import fcntl
import io
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import docker
import numpy as np
from sklearn.datasets import load_digits

from deploy.local.trainer_image import ensure_trainer
from workers.scratch.servers import DockerEngine, RedisServer, S3Server, free_port
from workers.scratch.site import LocalSite

HOME = Path(".local")
IMAGE = "aitrain-local/digits:1"
TEST_IMAGES = 360

Digits = tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]
Say = Callable[[str], None]


class Busy(Exception):
    """Another demo runs in this folder."""


@dataclass(frozen=True)
class DemoSite:
    """What runs. s3: a client of its object store; test: the digits to test on; flower: its port on the loopback."""

    site: LocalSite
    s3: Any
    test: Digits
    flower: int
    directory: Path


@contextmanager
def demo_site(say: Say) -> Iterator[DemoSite]:
    """Starts everything, and ends it. say: is told what is there. Raises Busy."""
    run = (HOME / "demo").resolve()
    run.mkdir(parents=True, exist_ok=True)
    began = time.monotonic()
    with (run / "lock").open("w") as lock, ExitStack() as stack:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Busy("another demo runs in this folder; wait for it to end") from None
        for leftover in ("redis", "s3", "site"):
            shutil.rmtree(run / leftover, ignore_errors=True)
        redis = stack.enter_context(RedisServer(run / "redis"))
        s3 = stack.enter_context(S3Server(run / "s3"))
        engine = stack.enter_context(DockerEngine(run / "engine"))
        say(f"Redis, an S3 server and a Docker Engine run, on ports of their own ({time.monotonic() - began:.1f} s)")

        made = ensure_trainer(engine.url, HOME.resolve(), say)
        docker.DockerClient(base_url=engine.url).images.get(made).tag(*IMAGE.split(":"))
        say(f"training image {IMAGE} is there ({time.monotonic() - began:.1f} s)")
        store = s3.client()
        test = _put_data_set(store, say)

        site = LocalSite(run / "site", redis_url=redis.url, s3=s3, timing={"log_poll_seconds": 0.2})
        port = free_port()
        for process in (site.control(), site.beat(), site.flower(port), site.host("local", {"cpu": 2}, engine.url)):
            stack.enter_context(process)
        yield DemoSite(site, store, test, port, run)


def _put_data_set(store: Any, say: Say) -> Digits:
    """Puts scikit-learn's handwritten digits into the store; the part to test on."""
    digits = load_digits()
    order = np.random.default_rng(1).permutation(len(digits.data))
    parts = {"test": order[:TEST_IMAGES], "train": order[TEST_IMAGES:]}
    store.create_bucket(Bucket="datasets")
    for name, chosen in parts.items():
        content = io.BytesIO()
        np.savez_compressed(content, images=digits.data[chosen], labels=digits.target[chosen])
        store.put_object(Bucket="datasets", Key=f"digits/{name}.npz", Body=content.getvalue())
        say(f"put {len(chosen)} digits into s3 datasets/digits/{name}.npz ({len(content.getvalue())} bytes)")
    return digits.data[parts["test"]], digits.target[parts["test"]]
