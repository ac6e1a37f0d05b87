"""Placement on the real store: turns, kept hosts, passes, and why a job waits."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from aitrain.domain.admission import Site, admit
from aitrain.domain.errors import JobNotFound
from aitrain.domain.fairshare import in_turn
from aitrain.domain.flavor import BUILT_IN
from aitrain.domain.job import Job
from aitrain.domain.placement import Plan, Rules, Waiting, place
from aitrain.domain.spec import JobSpec
from aitrain.domain.states import State
from aitrain.domain.waiting import Explanation, Reason
from aitrain.store import HostTiming, Store
from workers.scratch.servers import RedisServer

TIMING = HostTiming(10**9, 2 * 10**9)
SITE = Site(BUILT_IN, {"s3"}, 100, 10**6)
RULES = Rules(patience_s=60, margin_s=10)


class Scene:
    """A store with a clock of its own."""

    def __init__(self, url: str, namespace: str) -> None:
        self.now_ms = 1_800_000_000_000
        self.store = Store(url, namespace=namespace, clock_ms=lambda: self.now_ms)

    def later(self, seconds: float) -> None:
        self.now_ms += int(seconds * 1000)

    def join(self, host: str, units: int, jobs: int = 99, flavor: str = "cpu") -> None:
        ids = {flavor: [str(unit) for unit in range(units)]}
        self.store.join_host(host, instance=host, units=ids, max_jobs=jobs, timing=TIMING)

    def submit(self, units: int = 1, **fields: Any) -> str:
        spec = JobSpec.of(**{"image": "x", "resources": {"cpu": units}, "timeout": 1000, **fields})
        return self.store.submit(str(uuid.uuid4()), admit(spec, SITE)).job.id

    def place(self) -> Plan:
        """One look, committed as the dispatcher does."""
        plan = place(self.store.placement_view(RULES), RULES)
        assert all(self.store.assign_many([one for one in plan.assignments if not one.despite]))
        assert all(self.store.keep_host(keep) for keep in plan.keeps)
        assert all(self.store.assign_many([one for one in plan.assignments if one.despite]))
        return plan

    def run(self, job_id: str) -> Job:
        """What is placed runs."""
        job = self.store.get(job_id)
        for state in (State.PENDING, State.RUNNING):
            assert self.store.transition(job_id, job.fence, state).moved
        return self.store.get(job_id)

    def end(self, job_id: str) -> None:
        job = self.store.get(job_id)
        assert self.store.transition(job_id, job.fence, State.FINALIZING).moved

    def host_of(self, job_id: str) -> str:
        return self.store.get(job_id).host

    def explain(self, job_id: str, *flavors: str) -> Explanation:
        return self.store.explain(job_id, flavors)


@pytest.fixture
def scene(redis: RedisServer, namespace: str) -> Iterator[Scene]:
    """An empty site."""
    made = Scene(redis.url, namespace)
    yield made
    made.store.close()


def busy_host(scene: Scene, host: str, *sizes: int, free: int = 0) -> list[str]:
    """A host that runs jobs of these sizes, and has so many units free."""
    jobs = [scene.submit(size) for size in sizes]
    scene.join(host, sum(sizes) + free)
    scene.place()
    return [scene.run(job_id).id for job_id in jobs]


# ── turns ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_what_a_project_used_lately_decides_and_is_forgotten(scene: Scene) -> None:
    (ran,) = busy_host(scene, "h1", 1)
    scene.later(86_400)
    scene.end(ran)
    used = scene.submit(project="default")
    scene.later(1)
    fresh = scene.submit(project="fresh")
    view = scene.store.placement_view(RULES)["cpu"]
    assert view.use == {"default": pytest.approx(0.5, abs=0.01), "fresh": 0}
    scene.place()
    assert scene.store.get(fresh).state is State.INITIALIZING
    assert scene.store.get(used).state is State.QUEUED
    scene.later(86_400)
    assert scene.store.placement_view(RULES) == {}
    scene.store.stop(fresh, "enough")
    scene.store.transition(fresh, scene.store.get(fresh).fence, State.INTERRUPTED)
    assert scene.store.placement_view(RULES)["cpu"].use == {"default": pytest.approx(0.25, abs=0.01)}


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    st.lists(
        st.tuples(st.integers(1, 3), st.sampled_from("abc"), st.sampled_from([10, 50, 90]), st.integers(0, 3)),
        min_size=1,
        max_size=25,
    )
)
def test_positions_and_what_a_look_brings_back_follow_the_order_of_turns(
    redis: RedisServer, queue: list[tuple[int, str, int, int]]
) -> None:
    """Told two ways: by walking the queue, and, where it is too long for that, by counting in the lines."""
    scene = Scene(redis.url, f"t{uuid.uuid4().hex[:12]}")
    waiting = []
    for units, project, priority, pause_s in queue:
        scene.later(pause_s + 0.001)
        job_id = scene.submit(units, project=project, priority=priority)
        waiting.append(Waiting(job_id, "", BUILT_IN["cpu"].kind, "cpu", units, -scene.now_ms, "", project, priority))
    for project in "ab":  # what they used before
        scene.store._redis.hset(
            scene.store._key("use", "cpu"), project, f"{1.5 if project == 'a' else 2} {scene.now_ms} 0"
        )
    order: list[Waiting] = []

    def give(job: Waiting) -> int:
        order.append(job)
        return job.units

    in_turn(waiting, {"a": 1.5, "b": 2.0}, give)
    asked = {"flavors": [], "most_ahead": 200}
    for position, job in enumerate(order, 1):
        walked = scene.store._run("explain_view", {"id": job.job_id, **asked})
        counted = scene.store._run("explain_view", {"id": job.job_id, **asked, "most_ahead": 0})
        fitting = sum(other.units <= job.units for other in order[: position - 1])
        assert (walked["position"], walked["ahead_fitting"]) == (position, fitting)
        assert (counted["position"], counted["ahead_fitting"]) == (position, fitting)
    scene.join("h1", 99)
    brought = scene.store.placement_view(RULES, window=len(order) // 2 + 1)["cpu"].waiting
    assert [job.job_id for job in brought] == [job.job_id for job in order[: len(order) // 2 + 1]]


# ── kept hosts ──────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_host_is_kept_for_who_waited_too_long_until_it_starts_there(scene: Scene) -> None:
    ran = busy_host(scene, "h1", 2, 1, free=1)
    large = scene.submit(4)
    scene.later(61)
    small = scene.submit(1)
    plan = scene.place()
    assert ([keep.host for keep in plan.keeps], plan.assignments) == (["h1"], [])
    assert scene.store.get(large).kept_host == "h1"
    scene.end(ran[0])
    assert scene.place() == Plan(), "it is kept from others, and does not suffice yet"
    scene.end(ran[1])
    scene.place()
    assert scene.host_of(large) == "h1"
    assert scene.store.get(small).state is State.QUEUED
    assert scene.store.get(large).kept_host == ""
    assert not scene.store._redis.exists(scene.store._key("kept", "cpu"))


def test_a_pass_that_does_not_know_of_the_kept_host_comes_too_late(scene: Scene) -> None:
    busy_host(scene, "h1", 3, free=1)
    small = scene.submit(1)
    (late,) = place(scene.store.placement_view(RULES)).assignments
    scene.submit(4)
    scene.later(61)
    scene.store._redis.hset(scene.store._key("kept", "cpu"), "h1", "another")
    assert scene.store.assign(late) is None
    assert scene.store.assign(replace(late, despite="another"))
    assert scene.host_of(small) == "h1"


def test_a_short_job_and_a_higher_priority_pass_on_a_kept_host(scene: Scene) -> None:
    busy_host(scene, "h1", 2, free=2)
    scene.submit(4)
    scene.later(61)
    scene.submit(1, timeout=1000)
    assert [keep.host for keep in scene.place().keeps] == ["h1"]
    short, urgent = scene.submit(1, timeout=900), scene.submit(1, priority=51)
    assert {one.job_id for one in scene.place().assignments} == {short, urgent}


def test_a_keep_is_given_up_with_its_job_or_its_host(scene: Scene) -> None:
    busy_host(scene, "h1", 3, free=1)
    large = scene.submit(4)
    scene.later(61)
    small = scene.submit(1)
    scene.place()
    scene.store.stop(large, "enough")
    assert [one.job_id for one in scene.place().assignments] == [small]
    large = scene.submit(4)
    scene.store.stop(small, "enough")
    scene.store.transition(small, scene.store.get(small).fence, State.INTERRUPTED)
    scene.later(61)
    scene.submit(1, timeout=0)
    scene.place()
    assert scene.store.get(large).kept_host == "h1"
    scene.store.cordon("h1", by="ann", reason="disks")
    scene.join("h2", 1)
    scene.place()
    assert scene.store.get(large).kept_host == ""


def test_an_impossible_job_has_no_host_kept_and_is_in_nobodys_way(scene: Scene) -> None:
    busy_host(scene, "h1", 3, free=1)
    scene.submit(8)
    scene.later(61)
    small = scene.submit(1)
    plan = scene.place()
    assert ([one.job_id for one in plan.assignments], plan.keeps) == ([small], [])


# ── passes ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_who_comes_while_a_pass_is_at_work_has_it_look_again(scene: Scene) -> None:
    store = scene.store
    assert [store.begin_pass("a", 5000), store.begin_pass("b", 5000)] == [True, False]
    assert not store.end_pass("a"), "b asked for another look"
    assert [store.begin_pass("a", 5000), store.end_pass("a"), store.begin_pass("b", 5000)] == [True, True, True]


def test_a_pass_that_died_is_made_up_for_by_the_next_heartbeat(scene: Scene) -> None:
    scene.join("h1", 1)
    store = scene.store
    store.begin_pass("died", 5000)
    assert not store.begin_pass("b", 5000)
    beat: dict[str, Any] = {"instance": "h1", "fit": True, "seen": [], "timing": TIMING, "resend_ms": 1000}
    heard = []
    for _ in range(3):
        answer = store.heartbeat("h1", **beat)
        assert answer is not None
        heard.append(answer.place)
        scene.later(5)
    assert heard == [False, True, False]
    assert store.begin_pass("b", 5000)


# ── why it waits ────────────────────────────────────────────────────────────────────────────────────────────────────


def test_no_host_offers_the_flavor(scene: Scene) -> None:
    told = scene.explain(scene.submit())
    assert (told.reason, told.position, told.starts_by_ms) == (Reason.NO_HOST_OF_FLAVOR, 1, None)


def test_it_is_too_large_for_any_host(scene: Scene) -> None:
    scene.join("h1", 3)
    told = scene.explain(scene.submit(4))
    assert told.reason is Reason.TOO_LARGE_FOR_ANY_HOST
    assert "the largest has 3" in told.message
    assert told.would_start_now.units == 3


def test_its_hosts_are_away(scene: Scene) -> None:
    scene.join("h1", 4)
    job_id = scene.submit()
    scene.later(10**6 + 1)
    assert scene.explain(job_id).reason is Reason.HOSTS_AWAY


def test_its_hosts_are_cordoned(scene: Scene) -> None:
    scene.join("h1", 4)
    scene.store.cordon("h1", by="ann", reason="disks")
    assert scene.explain(scene.submit()).reason is Reason.CORDONED


def test_units_are_set_aside(scene: Scene) -> None:
    scene.join("h1", 2)
    scene.store.report_faults("h1", instance="h1", faults={"cpu": {"0": "memory in use"}})
    assert scene.explain(scene.submit(2)).reason is Reason.SET_ASIDE


def test_it_would_fit_now(scene: Scene) -> None:
    scene.join("h1", 2)
    told = scene.explain(scene.submit(2))
    assert (told.reason, told.starts_by_ms) == (Reason.STARTING, scene.now_ms)


def test_units_are_busy_and_their_deadline_tells_when_it_starts(scene: Scene) -> None:
    busy_host(scene, "h1", 2, 1, free=1)
    scene.later(100)
    told = scene.explain(scene.submit(3))
    assert told.reason is Reason.UNITS_BUSY
    assert told.message == "units are busy: 1 free at most on one host, 3 needed"
    assert told.starts_by_ms == scene.now_ms + 900_000
    assert told.would_start_now.units == 1


def test_without_a_timeout_nobody_knows_when(scene: Scene) -> None:
    site = replace(SITE, default_timeout_s=0, max_timeout_s=0)
    spec = JobSpec.of(image="x", resources={"cpu": 1})
    first = scene.store.submit(str(uuid.uuid4()), admit(spec, site)).job.id
    scene.later(1)
    second = scene.submit(1)
    scene.join("h1", 1)
    scene.place()
    scene.run(first)
    told = scene.explain(second)
    assert (told.reason, told.starts_by_ms) == (Reason.UNITS_BUSY, None)
    assert "no timeout" in told.estimate


def test_it_is_behind_others_and_starts_after_them(scene: Scene) -> None:
    busy_host(scene, "h1", 2)
    scene.submit(2, timeout=500)
    scene.later(1)
    told = scene.explain(scene.submit(2))
    assert (told.reason, told.position) == (Reason.BEHIND_OTHERS, 2)
    assert told.starts_by_ms == scene.now_ms - 1000 + 1_500_000


def test_hosts_have_as_many_jobs_as_they_may(scene: Scene) -> None:
    scene.submit(1)
    scene.join("h1", 4, jobs=1)
    scene.place()
    assert scene.explain(scene.submit(2)).reason is Reason.HOSTS_FULL


def test_what_is_free_is_kept_for_another(scene: Scene) -> None:
    busy_host(scene, "h1", 3, free=1)
    large = scene.submit(4)
    scene.later(61)
    small = scene.submit(1)
    scene.place()
    assert scene.explain(small).reason is Reason.KEPT_FOR_OTHERS
    told = scene.explain(large)
    assert (told.reason, told.kept_host) == (Reason.UNITS_BUSY, "h1")
    assert told.starts_by_ms == scene.now_ms - 61_000 + 1_000_000
    assert "h1 is kept for it" in told.message


def test_a_retry_waits_for_its_time(scene: Scene) -> None:
    job_id = scene.submit(1)
    scene.join("h1", 1)
    scene.place()
    scene.store.transition(job_id, scene.store.get(job_id).fence, State.QUEUED, pause_ms=5000)
    assert scene.explain(job_id).reason is Reason.RETRY_PAUSE
    scene.later(5)
    assert scene.explain(job_id).reason is Reason.STARTING


def test_another_flavor_would_start_at_once(scene: Scene) -> None:
    scene.join("h1", 2, flavor="v100s")
    scene.join("h2", 3, flavor="h100")
    told = scene.explain(scene.submit(3, resources={"gpu": 3, "flavor": "v100s"}), "h100", "l4")
    assert told.would_start_now.flavors == ("h100",)


def test_a_job_that_does_not_wait_says_so(scene: Scene) -> None:
    job_id = scene.submit(1)
    scene.store.stop(job_id, "enough")
    told = scene.explain(job_id)
    assert (told.reason, told.state, told.position) == (Reason.NOT_WAITING, State.INTERRUPTED, None)
    with pytest.raises(JobNotFound):
        scene.explain("nope")
