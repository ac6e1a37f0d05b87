"""No job waits while units that fit are free: whatever frees them says so, and no look of a pass ends too early."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from aitrain.domain.states import State
from aitrain.store import Heard, HostTiming
from tests.integration.store.test_placement import RULES, TIMING, Scene, busy_host
from workers.scratch.servers import RedisServer


@pytest.fixture
def scene(redis: RedisServer, namespace: str) -> Iterator[Scene]:
    """An empty site."""
    made = Scene(redis.url, namespace)
    yield made
    made.store.close()


def beat(scene: Scene, host: str, timing: HostTiming = TIMING) -> Heard:
    """A heartbeat of a host that runs nothing."""
    heard = scene.store.heartbeat(host, instance=host, fit=True, seen=[], timing=timing, resend_ms=1000)
    assert heard is not None
    return heard


def test_a_large_job_finds_its_host_behind_many_small_holes(scene: Scene) -> None:
    large = scene.submit(2)
    scene.later(RULES.patience_s + 1)
    small = {scene.submit(1) for _ in range(300)}
    for number in range(300):
        scene.join(f"h{number}", 1)
    scene.join("large", 2)
    plan = scene.place()
    assert scene.host_of(large) == "large"
    assert len(small.intersection(one.job_id for one in plan.assignments)) > 200


def test_a_clock_that_was_set_back_keeps_no_job_waiting(scene: Scene) -> None:
    job_id = scene.submit(1)
    scene.later(-3600)
    scene.join("h1", 1)
    scene.place()
    assert scene.host_of(job_id) == "h1"


def test_a_job_of_many_attempts_can_be_started_again(scene: Scene) -> None:
    job_id = scene.submit(1)
    moves = [f'[{at},"QUEUED",1]' for at in range(20_000)]
    scene.store._redis.rpush(scene.store._key("history", job_id), *moves)
    scene.store.stop(job_id, "enough")
    assert scene.store.start(job_id, "once more").done
    assert len(scene.store.get(job_id).history) == 20_003


def test_a_host_that_was_away_for_a_moment_has_what_waits_placed(scene: Scene) -> None:
    short = HostTiming(5000, 10**9)
    scene.store.join_host("h1", instance="h1", units={"cpu": ["0"]}, max_jobs=9, timing=short)
    assert not beat(scene, "h1", short).place
    scene.later(6)
    scene.submit(1)
    assert scene.store.placement_view(RULES) == {}, "its lease has lapsed"
    assert beat(scene, "h1", short).place
    assert not beat(scene, "h1", short).place


def test_a_pass_that_died_alone_is_made_up_for(scene: Scene) -> None:
    scene.join("h1", 1)
    scene.submit(1)
    scene.store.begin_pass("died", 5000)
    assert not beat(scene, "h1").place
    scene.later(5)
    assert beat(scene, "h1").place
    assert not beat(scene, "h1").place


@pytest.mark.parametrize("force_delete", [False, True])
@pytest.mark.parametrize("at_work", [False, True])
def test_who_stops_a_job_frees_the_host_that_was_kept_for_it(scene: Scene, force_delete: bool, at_work: bool) -> None:
    busy_host(scene, "h1", 3, free=1)
    large = scene.submit(4)
    scene.later(RULES.patience_s + 1)
    small = scene.submit(1)
    scene.place()
    assert scene.store.get(large).kept_host == "h1"
    if at_work:
        assert scene.store.begin_pass("p", 5000)
    if force_delete:
        scene.store.delete(large, force=True, message="enough")
    else:
        scene.store.stop(large, "enough")
    assert beat(scene, "h1").place == (not at_work)
    assert not beat(scene, "h1").place
    assert scene.store.begin_pass("p", 5000)
    scene.place()
    assert scene.host_of(small) == "h1"
    assert scene.store.end_pass("p")


def test_a_pass_that_works_looks_again_when_a_host_is_kept_no_more(scene: Scene) -> None:
    busy_host(scene, "h1", 3, free=1)
    large = scene.submit(4)
    scene.later(RULES.patience_s + 1)
    scene.submit(1)
    scene.place()
    scene.store.begin_pass("p", 5000)
    scene.store.stop(large, "enough")
    assert not scene.store.end_pass("p")


def test_who_stops_a_job_that_nothing_is_kept_for_asks_for_no_pass(scene: Scene) -> None:
    scene.join("h1", 1)
    scene.submit(1)
    scene.store.stop(scene.submit(1), "enough")
    assert not beat(scene, "h1").place


@pytest.mark.parametrize("to", [State.DONE, State.QUEUED])
def test_a_job_that_leaves_a_full_host_makes_room_for_another_flavor(scene: Scene, to: State) -> None:
    units = {"cpu": ["0"], "v100s": ["0"]}
    scene.store.join_host("h1", instance="h1", units=units, max_jobs=1, timing=TIMING)
    first = scene.submit(1)
    scene.place()
    scene.run(first)
    scene.end(first)
    second = scene.submit(1, resources={"gpu": 1, "flavor": "v100s"})
    assert not scene.place().assignments
    assert not beat(scene, "h1").place
    scene.store.transition(first, scene.store.get(first).fence, to, pause_ms=5000 if to is State.QUEUED else 0)
    assert beat(scene, "h1").place
    scene.place()
    assert scene.host_of(second) == "h1"
