"""The real servers that tests stand on. One that cannot be started fails the tests that need it; nothing is skipped."""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator
from typing import Any

import pytest

from aitrain.store import Store
from workers.scratch.images import ensure_busybox
from workers.scratch.moto import MotoServer
from workers.scratch.registry import Registry
from workers.scratch.servers import DockerEngine, RedisServer, S3Server

# The files that take longest, longest first: one that began last would keep one process waiting for the other.
SLOWEST = (
    "test_compose.py", "test_cli.py", "test_drill.py", "test_store_machine.py", "test_crash.py",
    "test_upgrade.py", "test_data_orders.py",
    "test_loss_connection.py", "test_data_stores.py", "test_datasync_large.py", "test_loss_engine.py", "test_life.py",
    "test_loss_processes.py", "test_hosts.py", "test_gpus.py", "test_docs.py", "test_exec.py",
    "test_forged_messages.py",
)  # fmt: skip


# Whoever runs the tests may have readline tell every child a terminal's size; commands have none, or their own.
for _name in ("COLUMNS", "LINES"):
    os.environ.pop(_name, None)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Has the slowest files begin first."""
    rank = {name: number for number, name in enumerate(SLOWEST)}
    items.sort(key=lambda item: rank.get(item.path.name, len(rank)))


@pytest.fixture(scope="session")
def redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    """A Redis, for tests that do not break it."""
    with RedisServer(tmp_path_factory.mktemp("redis")) as server:
        yield server


@pytest.fixture(scope="session")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DockerEngine]:
    """A Docker Engine with the busybox image, for tests that do not break it for others."""
    with DockerEngine(tmp_path_factory.mktemp("engine")) as server:
        ensure_busybox(server.url)
        yield server


@pytest.fixture(scope="session")
def s3(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    """An S3 server, for tests that do not break it for others."""
    with S3Server(tmp_path_factory.mktemp("s3")) as server:
        yield server


@pytest.fixture(scope="session")
def moto(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MotoServer]:
    """An S3 server of another make, for what must not depend on the make."""
    with MotoServer(tmp_path_factory.mktemp("moto")) as server:
        yield server


@pytest.fixture(scope="session")
def registry(tmp_path_factory: pytest.TempPathFactory, engine: DockerEngine) -> Iterator[Registry]:
    """A Docker registry that the engine can reach."""
    with Registry(tmp_path_factory.mktemp("registry"), engine) as server:
        yield server


@pytest.fixture
def namespace() -> str:
    """A namespace of its own, so that tests share servers and nothing else."""
    return f"t{uuid.uuid4().hex[:12]}"


@pytest.fixture
def store(redis: RedisServer, namespace: str) -> Iterator[Store]:
    """An empty job store."""
    store = Store(redis.url, namespace=namespace)
    yield store
    store.close()


@pytest.fixture
def bucket() -> str:
    """A bucket's name that no other test uses."""
    return f"b{uuid.uuid4().hex[:12]}"


@pytest.fixture
def s3_client(s3: S3Server) -> Any:
    """A plain client of the S3 server, to look at it from the outside."""
    return s3.client()
