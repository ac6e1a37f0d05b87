"""When a worker is taken for stuck. A broker that takes messages and never gives them back is made up for it."""

from __future__ import annotations

from typing import Any, cast

import pytest

from aitrain.broker import Broker
from aitrain.domain.errors import BrokerUnavailable
from aitrain.domain.health import Role
from aitrain.settings import Timing
from workers import canary
from workers.canary import CanaryWatch
from workers.watch import Look

TIMING = Timing(canary_seconds=30, canary_stale_seconds=120, stuck_patience_seconds=900)


class Time:
    """The machine's clock."""

    def __init__(self) -> None:
        self.now = 1000.0

    def elapsed(self) -> float:
        return self.now


class Sink:
    """A broker from which nothing comes back."""

    def __init__(self) -> None:
        self.away = False
        self.sent: list[str] = []

    def send_canary(self, queue: str, expires_s: float) -> None:
        if self.away:
            raise BrokerUnavailable("the broker does not answer")
        self.sent.append(queue)


class Watched:
    """A watched worker with two slots, in a time of its own."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, role: Role = Role.WORKER) -> None:
        self.time, self.broker = Time(), Sink()
        monkeypatch.setattr(canary, "clock", self.time)
        self.watch = CanaryWatch(
            cast(Any, None), TIMING, role, "h1", broker=cast(Broker, self.broker), queues=["a", "b"], slots=2
        )

    def looks(self, count: int) -> Look:
        found = Look()
        for _ in range(count):
            found = self.watch.look()
            self.time.now += TIMING.canary_seconds
        return found


@pytest.fixture
def watched(monkeypatch: pytest.MonkeyPatch) -> Watched:
    return Watched(monkeypatch)


def test_an_idle_worker_that_takes_nothing_ends(watched: Watched) -> None:
    assert all(watched.looks(1) == Look(proved=False) for _ in range(5))
    assert watched.broker.sent == ["a", "b", "a", "b", "a"], "each of its queues has its turn"
    assert watched.looks(1).end.startswith("the broker takes its messages, but none has come back for 150 s")


def test_any_message_that_it_takes_is_a_proof_and_told_once(watched: Watched) -> None:
    watched.looks(4)
    watched.watch.took()
    watched.watch.finished()
    assert [watched.looks(1).proved for _ in range(2)] == [True, False]
    assert watched.looks(2) == Look(), "it is counted anew"


def test_a_worker_with_steps_at_work_is_given_time_for_them(watched: Watched) -> None:
    watched.watch.took()
    watched.looks(5)
    found = watched.looks(1)
    assert found.trouble.endswith("it ends when its 1 steps at work have ended")
    assert not found.end
    watched.looks(29)
    assert watched.looks(1).end, "but not for ever: they are begun again"


def test_a_worker_that_is_full_is_well(watched: Watched) -> None:
    watched.watch.took()
    watched.time.now += 1
    watched.watch.took()
    assert all(watched.looks(1) == Look(proved=True) for _ in range(60))
    watched.watch.finished()
    assert watched.looks(4) == Look(), "after that it has its whole time"


def test_a_control_worker_that_stays_full_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    """A host's steps may take hours, and have leases; its own works take seconds, and nothing watches over them."""
    control = Watched(monkeypatch, Role.CONTROL)
    control.watch.took()
    control.watch.took()
    assert control.looks(30) == Look(proved=True)
    control.watch.finished()
    control.watch.took()
    assert control.looks(31) == Look(proved=True), "one of them ended"
    assert control.looks(1).end.startswith("none of the 2 works that fill it has ended for 930 s")


def test_a_broker_that_is_away_is_not_the_workers_fault(watched: Watched) -> None:
    watched.broker.away = True
    assert watched.looks(60) == Look(trouble="the broker does not answer")
    watched.broker.away = False
    assert watched.looks(3) == Look(), "it connects again by itself"
    assert watched.looks(1).end


def test_a_worker_that_was_frozen_is_not_judged_by_that_time(watched: Watched) -> None:
    watched.looks(1)
    watched.time.now += 3600
    assert watched.looks(1) == Look()
