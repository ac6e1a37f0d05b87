"""Flower is told what workers and producers of aitrain tell, whatever else is in the broker."""

from __future__ import annotations

from typing import Any

import pytest
from kombu.clocks import LamportClock

from aitrain.domain.states import Step
from workers.flowerdoor import MOST_CHARACTERS, Receiver, checked_event

TASKS = {f"aitrain.{step}" for step in Step} | {"celery.chord"}
FROM = {"hostname": "gpu-01@2xv100s.8xcpu", "utcoffset": 0, "pid": 7, "clock": 12, "timestamp": 1795964800.5}
SENT = {
    **FROM, "type": "task-sent", "uuid": "0198-ab", "root_id": "0198-ab", "parent_id": None, "name": "aitrain.sync_in",
    "args": "job=0198", "kwargs": "project=vision", "retries": 0, "eta": None, "expires": None, "exchange": "",
    "queue": "gpu.v100s.gpu-01", "routing_key": "gpu.v100s.gpu-01",
}  # fmt: skip
BEAT = {
    **FROM, "type": "worker-heartbeat", "freq": 2.0, "sw_ident": "py-celery", "sw_ver": "5.7.0", "sw_sys": "Linux",
    "active": 0, "processed": 4, "loadavg": [0.5, 0.25, 1.0],
}  # fmt: skip


@pytest.mark.parametrize(
    "event",
    [
        SENT, BEAT, {**SENT, "type": "task-received"}, {**BEAT, "type": "worker-online"},
        {**FROM, "type": "task-started", "uuid": "a"},
        {**FROM, "type": "task-revoked", "uuid": "a", "terminated": False, "signum": None, "expired": True},
        {**FROM, "type": "task-succeeded", "uuid": "a", "result": "'goes on'", "runtime": 0.25},
        {**FROM, "type": "task-failed", "uuid": "a", "exception": "E()", "traceback": "Traceback"},
    ],
)  # fmt: skip
def test_what_celery_tells_passes_as_it_is(event: dict[str, Any]) -> None:
    assert checked_event(event, TASKS) == event


@pytest.mark.parametrize(
    "event",
    [
        7, None, "x", [], {}, {"type": "task-received"}, {**BEAT, "hostname": "<img src=x>"}, {**BEAT, "hostname": []},
        {**BEAT, "hostname": "h" * 400}, {**BEAT, "type": "worker-<b>"}, {**BEAT, "timestamp": "soon"},
        {**BEAT, "clock": 2**70}, {**BEAT, "clock": None}, {**BEAT, "loadavg": [1] * 9}, {**SENT, "uuid": {}},
        {**SENT, "uuid": "x" * 99},
        {**SENT, "name": "other.task"}, {**SENT, "name": "celery.chord"}, {**SENT, "retries": -1},
        {**SENT, "timestamp": float("nan")},
    ],
)  # fmt: skip
def test_all_else_is_dropped(event: Any) -> None:
    assert checked_event(event, TASKS) is None


def test_what_is_kept_in_memory_is_bounded() -> None:
    taken = checked_event({**SENT, "args": "x" * 10**6, "more": "x" * 10**6}, TASKS)
    assert taken is not None
    assert "more" not in taken
    assert len(taken["args"]) == MOST_CHARACTERS


def test_a_list_is_taken_event_by_event() -> None:
    told: list[Any] = []
    receiver = Receiver.__new__(Receiver)
    receiver.app = type("App", (), {"tasks": TASKS})
    receiver.clock, receiver.adjust_clock = LamportClock(), lambda _: None
    receiver.process = lambda kind, event: told.append(kind)
    for body in ([SENT, 7, BEAT], 7, BEAT):
        receiver._receive(body, None)
    assert told == ["task-sent", "worker-heartbeat", "worker-heartbeat"]
