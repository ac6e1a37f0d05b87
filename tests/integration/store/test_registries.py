"""Registries of projects in the job store."""

from __future__ import annotations

import uuid
from typing import Any

import pytest

from aitrain.broker import Broker
from aitrain.domain.admission import admit
from aitrain.domain.registry import RegistryEntry
from aitrain.domain.sealing import SecretKind
from aitrain.domain.spec import JobSpec
from aitrain.registries import Registries
from aitrain.settings import Settings
from aitrain.store import Store

TOKEN, OTHER = "1.00000000000000aa.AAAA", "1.00000000000000bb.BBBB"


def entry(project: str = "red", server: str = "r.example:5000", **more: Any) -> RegistryEntry:
    given = {"user": "reader", "revision": "one", "checked": True, "added_ms": 0, **more}
    return RegistryEntry(project=project, server=server, **given)


def submit(store: Store, image: str, project: str = "red") -> str:
    job_id = str(uuid.uuid4())
    spec = JobSpec.of(image=image, resources={"cpu": 1}, project=project)
    store.submit(job_id, admit(spec, Settings().site))
    return job_id


def test_one_is_kept_once_and_replaced_by_the_next(store: Store) -> None:
    first = store.put_registry(entry(ca="PEM"), TOKEN)
    assert first.added_ms > 0
    assert store.put_registry(entry(ca="PEM"), TOKEN) == first, "a call that is sent again changes nothing"
    assert store.registry("red", "r.example:5000") == first
    assert store.registries("red") == [first]
    assert store.registry("blue", "r.example:5000") is None
    assert TOKEN not in str(store._redis.hgetall(store._key("registries", "red")))
    second = store.put_registry(entry(revision="two"), OTHER)
    assert (second.ca, store.registries("red")) == (None, [second])
    sealed = store.sealed("red", SecretKind.REGISTRY, "r.example:5000")
    assert sealed is not None
    assert (sealed.revision, sealed.token) == ("two", OTHER)


def test_docker_hub_is_found_under_each_of_its_names(store: Store) -> None:
    registries = Registries(Settings(), store, Broker(Settings()))
    store.put_registry(entry(server="docker.io"), TOKEN)
    assert registries.show("red", "index.docker.io").server == "docker.io"
    assert registries.remove("red", "registry-1.docker.io").done
    assert registries.list("red") == []


@pytest.mark.parametrize(
    ("server", "image", "needs"),
    [
        ("r.example:5000", "r.example:5000/a/b:1", True),
        ("r.example:5000", "r.example/a/b:1", False),
        ("r.example:5000", "a/r.example:1", False),
        ("localhost", "localhost/x", True),
        ("docker.io", "busybox", True),
        ("docker.io", "team/x@sha256:" + "0" * 64, True),
        ("docker.io", "index.docker.io/team/x", True),
        ("docker.io", "r.example/x", False),
    ],
)
def test_it_stays_while_jobs_have_images_of_it(store: Store, server: str, image: str, *, needs: bool) -> None:
    store.put_registry(entry(server=server), TOKEN)
    job_id = submit(store, image)
    submit(store, image, "blue")
    assert store.remove_registry("red", server, force=False) == ([job_id] if needs else [])
    assert (store.registry("red", server) is not None) is needs
    store.stop(job_id, "enough")
    for _ in range(2):
        assert store.remove_registry("red", server, force=False) == []
    assert store.registry("red", server) is None
    assert store.sealed("red", SecretKind.REGISTRY, server) is None
    assert store.sealed_counts() == {}


def test_by_force_it_goes_at_once(store: Store) -> None:
    store.put_registry(entry(), TOKEN)
    for _ in range(11):
        submit(store, "r.example:5000/x")
    assert len(store.remove_registry("red", "r.example:5000", force=False)) == 10
    assert store.remove_registry("red", "r.example:5000", force=True) == []
    assert store.registries("red") == []
