"""Proofs of health in the job store."""

from __future__ import annotations

from aitrain.domain.health import Role, Vital
from aitrain.store import Store
from tests.integration.store.test_hosts import joined

DAY_MS = 86_400_000


def test_a_proof_stands_in_the_store_by_its_clock_and_takes_trouble_back(store: Store) -> None:
    store.tell_trouble(Role.WORKER, "h1", "stuck")
    assert store.vitals().of == (Vital(Role.WORKER, "h1", None, "stuck"),)
    store.prove(Role.WORKER, "h1")
    store.sweep_done("place_waiting", 7)
    found = store.vitals()
    assert found.sweeps == {"place_waiting": 7}
    (vital,) = found.of
    assert (vital.role, vital.name, vital.trouble) == (Role.WORKER, "h1", "")
    assert vital.proved_ms is not None
    assert 0 <= found.now_ms - vital.proved_ms < 5000


def test_control_workers_that_are_gone_are_forgotten_and_hosts_are_not(store: Store) -> None:
    old = store.vitals().now_ms - DAY_MS - 1
    names = ("worker/h1", "control/c0ffee", "beat/c0ffee")
    store._redis.hset(store._key("canary"), mapping=dict.fromkeys(names, old))
    store.prove(Role.WORKER, "h2")
    assert len(store.vitals().of) == 4, "a host does not look"
    store.prove(Role.CONTROL, "new")
    assert {(one.role, one.name) for one in store.vitals().of} == {
        (Role.WORKER, "h1"), (Role.WORKER, "h2"), (Role.CONTROL, "new"),
    }  # fmt: skip


def test_a_removed_host_is_forgotten(store: Store) -> None:
    joined(store)
    store.prove(Role.WORKER, "h1")
    store.tell_trouble(Role.AGENT, "h1", "its loop Logs hangs")
    store._redis.zadd(store._key("hosts"), {"h1": 1})
    store.remove_host("h1", force=False, message="", keep_ms=0)
    assert store.vitals().of == ()
