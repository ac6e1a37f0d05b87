"""What the facts of a Redis mean."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from aitrain.store.inspection import ServerFacts
from workers.doctor import server
from workers.doctor.finding import GIB, Finding, Verdict, worst
from workers.doctor.server import BROKER, STORE, Server

SOUND = ServerFacts(
    run_id="a", version="7.0.15", role="master", cluster=False, append_only=True, fsync="everysec", append_ok=True,
    rewrite_ok=True, snapshot_ok=True, policy="noeviction", max_memory=0, used_memory=GIB, machine_memory=16 * GIB,
    round_trip_s=0.001, ahead_s=0.0,
)  # fmt: skip
Judge = Callable[[Server, ServerFacts], Finding]


def test_a_sound_server_is_ok_throughout() -> None:
    assert {finding.verdict for finding in server.judge(STORE, SOUND)} == {Verdict.OK}
    assert {finding.remedy for finding in server.judge(BROKER, SOUND)} == {""}


@pytest.mark.parametrize(
    ("judge", "facts", "verdict", "found", "remedy"),
    [
        (server.reachable, {"round_trip_s": 0.25}, "WARN", "250.0 ms", "nearer"),
        (server.version, {"version": "6.0.16"}, "FAIL", "6.0.16", "6.2"),
        (server.version, {"version": ""}, "FAIL", "not told", "6.2"),
        (server.role, {"role": "slave"}, "FAIL", "slave", "name the master in redis_url"),
        (server.role, {"cluster": True}, "FAIL", "cluster", "single server"),
        (server.persistence, {"append_only": False}, "FAIL", "off", "CONFIG SET appendonly yes"),
        (server.persistence, {"append_ok": False}, "FAIL", "append-only file failed", "room"),
        (server.persistence, {"snapshot_ok": False}, "FAIL", "snapshot failed", "room"),
        (server.persistence, {"fsync": "no"}, "WARN", "appendfsync no", "everysec"),
        (server.persistence, {"rewrite_ok": False}, "WARN", "rewrite failed", "overcommit_memory"),
        (server.eviction, {"policy": "allkeys-lru", "max_memory": GIB}, "FAIL", "forgets jobs", "noeviction"),
        (server.eviction, {"policy": "volatile-lru"}, "WARN", "as soon as maxmemory is set", "noeviction"),
        (server.memory, {"used_memory": 12 * GIB}, "WARN", "75% of the machine's memory", "--bigkeys"),
        (server.memory, {"used_memory": 98, "max_memory": 100}, "FAIL", "98% of maxmemory", "raise maxmemory"),
    ],
)
def test_what_is_wrong_is_told_with_its_remedy(
    judge: Judge, facts: dict[str, Any], verdict: str, found: str, remedy: str
) -> None:
    finding = judge(STORE, replace(SOUND, **facts))
    assert finding.verdict == verdict
    assert found in finding.found
    assert remedy in finding.remedy


@pytest.mark.parametrize("facts", [{"append_only": False}, {"policy": "allkeys-lru", "max_memory": 2 * GIB}])
def test_a_broker_may_lose_what_is_sent_again(facts: dict[str, Any]) -> None:
    assert worst(server.judge(BROKER, replace(SOUND, **facts))) is Verdict.WARN


def test_what_may_not_be_asked_is_no_fault() -> None:
    assert server.persistence(STORE, replace(SOUND, fsync=None)).verdict is Verdict.OK
    assert server.memory(STORE, replace(SOUND, machine_memory=0)).verdict is Verdict.OK


@pytest.mark.parametrize(
    ("url", "verdict"),
    [
        ("redis://127.0.0.1:6379/0", "OK"),
        ("redis://localhost/0", "OK"),
        ("redis://[::1]:6379/0", "OK"),
        ("unix:///run/redis.sock", "OK"),
        ("redis://10.0.0.4:6379/0", "WARN"),
        ("redis://redis.internal/0", "WARN"),
        ("redis://:secret@redis.internal/0", "OK"),
        ("rediss://redis.internal/0", "OK"),
    ],
)
def test_an_open_server_lets_anybody_in(url: str, verdict: str) -> None:
    finding = server.access(STORE, url)
    assert finding.verdict == verdict
    assert "secret" not in finding.found


@pytest.mark.parametrize(
    ("complaint", "remedy"),
    [
        ("Authentication required.", "correct user and password"),
        ("this user has no permissions to run the 'info' command", "ACL SETUSER"),
        ("Redis is loading the dataset in memory", "wait"),
        ("Error 111 connecting", "start Redis"),
    ],
)
def test_why_it_does_not_answer(complaint: str, remedy: str) -> None:
    finding = server.unreachable(STORE, complaint)
    assert finding.verdict is Verdict.FAIL
    assert remedy in finding.remedy
