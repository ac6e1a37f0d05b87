"""Random histories against a real Redis. Whatever is called, in whatever order, late, stale or twice:

- only moves of the table happen, and the history only grows;
- indexes, counters and reservations agree with the jobs;
- nothing that carries an old fence or a wrong belief changes anything;
- sending the last call again changes nothing.
"""

from __future__ import annotations

import json
import os
import re
import uuid
from collections import Counter
from itertools import pairwise
from typing import Any, ClassVar

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import initialize, invariant, rule, run_state_machine_as_test
from redis import Redis

from aitrain.domain.admission import Site, admit
from aitrain.domain.billing import month_of
from aitrain.domain.counting import read_counters
from aitrain.domain.datastore import DataStoreEntry
from aitrain.domain.errors import BudgetExceeded, InvalidInput, QuotaExceeded
from aitrain.domain.flavor import BUILT_IN, Kind
from aitrain.domain.placement import Assignment
from aitrain.domain.quota import OverQuota, QuotaKind
from aitrain.domain.retry import Again
from aitrain.domain.spec import JobSpec
from aitrain.domain.states import ENDED, MOVES, STATES, TARGETS, EndCause, State, Step, sources, state_of
from aitrain.store import HostTiming, Lease, Ordered, Seen, Store
from aitrain.store.keys import Keys
from aitrain.store.legend import LEGEND
from aitrain.store.records import unsettled
from tests.integration.store.billing_rules import BillingRules
from tests.integration.store.data_rules import DataRules
from tests.integration.store.host_rules import HostRules
from tests.integration.store.limit_rules import LimitRules
from tests.integration.store.session_rules import SessionRules
from tests.integration.store.waiting_rules import WaitingRules
from workers.scratch.servers import RedisServer

TIMING = HostTiming(60_000, 120_000)
SITE = Site(BUILT_IN, {"s3"}, 100, 1000)
LEGAL = {(move.source, move.target) for move in MOVES}
PROJECTS, HOSTS, FLAVORS = ("red", "blue"), ("h1", "h2"), ("cpu", "v100s")
LOST_MS = 120_000
MAIN_ROAD = {
    State.INITIALIZING: State.PENDING,
    State.PENDING: State.RUNNING,
    State.RUNNING: State.FINALIZING,
    State.INTERRUPTING: State.FINALIZING,
    State.TIMEOUT: State.FINALIZING,
    State.FINALIZING: State.DONE,
}
pick = st.integers(0, 10**6)
# HISTORIES=n runs n times as many.
EXAMPLES = 24 * int(os.environ.get("HISTORIES", "1"))

# Sealed by two keys, as far as the store can see.
TOKEN, ANEW = "1.00000000000000aa.AAAA", "1.00000000000000bb.AAAA"


# Verbs whose call, sent again after a broken connection, answers as it did.
ANSWER_AGAIN = (
    "transition", "assign", "stop", "start", "delete", "put_data_store", "reseal_data_store",
    "retry_push", "order_copy", "end_copy", "cordon", "uncordon",
    "remove_host", "open_session", "take_session", "send_session", "beat_session",
)  # fmt: skip


class StoreMachine(BillingRules, WaitingRules, DataRules, HostRules, LimitRules, SessionRules):
    """Drives one store with a clock of its own."""

    url: ClassVar[str]

    def __init__(self) -> None:
        super().__init__()
        self.now_ms = 1_800_000_000_000
        self.namespace = f"m{uuid.uuid4().hex[:12]}"
        self.keys = Keys(self.namespace)
        self.redis = Redis.from_url(self.url, decode_responses=True)
        self.store = Store(self.url, namespace=self.namespace, grace_ms=5000, clock_ms=lambda: self.now_ms)
        self.last: tuple[str, dict[str, Any]] | None = None
        self.answer: Any = None
        self.histories: dict[str, list[list[Any]]] = {}
        self.fences: dict[str, list[str]] = {}
        self.month = month_of(self.now_ms)
        run = self.store._run

        def recorded(name: str, arguments: dict[str, Any]) -> Any:
            self.last = (name, {**arguments, "now_ms": self.now_ms})
            self.answer = run(name, arguments)
            return self.answer

        self._run = run
        self.store._run = recorded  # type: ignore[assignment]

    def teardown(self) -> None:
        self.the_ledger_is_what_the_histories_owe()
        self.every_move_is_counted_once()
        if names := self.redis.keys(f"{self.keys.root}*"):
            self.redis.delete(*names)
        self.redis.close()
        self.store.close()

    # ── what happens ────────────────────────────────────────────────────────────────────────────────────────────

    @initialize()
    def a_host(self) -> None:
        self.store.join_host(
            "h1",
            instance="h1",
            units={"cpu": ["0", "1", "2"], "v100s": ["g0"]},
            max_jobs=3,
            timing=TIMING,
        )

    @rule(host=st.sampled_from(HOSTS), cpus=st.integers(0, 4), gpus=st.integers(0, 2), jobs=st.integers(1, 4))
    def join(self, host: str, cpus: int, gpus: int, jobs: int) -> None:
        units = {"cpu": [str(n) for n in range(cpus)], "v100s": [f"g{n}" for n in range(gpus)]}
        offered = {flavor: ids for flavor, ids in units.items() if ids}
        self.store.join_host(host, instance=host, units=offered, max_jobs=jobs, timing=TIMING)

    @rule(
        project=st.sampled_from(PROJECTS),
        flavor=st.sampled_from(FLAVORS),
        units=st.integers(1, 3),
        again=st.booleans(),
        priority=st.sampled_from([None, 0, 80]),
    )
    def submit(self, project: str, flavor: str, units: int, again: bool, priority: int | None) -> None:
        kind = BUILT_IN[flavor].kind
        volumes = ("data@s3:/data",) if again else ()
        spec = JobSpec.of(
            image="x", project=project, resources={kind: units}, auto_restart=again, volumes=volumes, priority=priority,
            name=f"n{units}",
        )  # fmt: skip
        job_id = str(uuid.uuid4())
        before = {quota.kind: quota for quota in self.store.quotas(project)}
        asked = {QuotaKind(kind): units, QuotaKind.JOBS: 1}
        full = any(
            held.limit is not None and held.used + number > held.limit
            for held, number in ((before[kind], number) for kind, number in asked.items())
        )
        holds = self.store.over_quota(project) is OverQuota.HOLD
        affords = self._affords(admit(spec, SITE))
        try:
            submitted = self.store.submit(job_id, admit(spec, SITE))
        except (BudgetExceeded, InvalidInput):
            assert not affords
            assert not self.redis.exists(self.keys("job", job_id))
        except QuotaExceeded:
            assert full
            assert not holds
            assert not self.redis.exists(self.keys("job", job_id))
        else:
            assert affords
            assert not full or holds
            assert submitted.job.held or not full
            assert not (submitted.job.held and submitted.may_start)

    @rule(project=st.sampled_from(PROJECTS), again=st.booleans())
    def add_a_data_store(self, project: str, again: bool) -> None:
        entry = DataStoreEntry(
            project=project, alias="s3", endpoint_url=None, region="gra", access_key_id="***", checked=True,
            revision="same" if again else uuid.uuid4().hex, added_ms=0,
        )  # fmt: skip
        self.store.put_data_store(entry, TOKEN)

    @rule(project=st.sampled_from(PROJECTS), new=st.sampled_from([TOKEN, ANEW]))
    def seal_anew(self, project: str, new: str) -> None:
        for entry in self.store.data_stores(project):
            member = f"data_store/{project}/{entry.alias}"
            old = self.store.tokens_of(member)[member]
            assert self.store.reseal(member, {member: (old, new)}) == 1
            assert member in self.store.sealed_by(new.split(".")[1])

    @rule(project=st.sampled_from(PROJECTS), force=st.booleans())
    def remove_a_data_store(self, project: str, force: bool) -> None:
        jobs = set(self.store.remove_data_store(project, "s3", force=force))
        needed_by = {
            job_id
            for job_id, job in self._jobs().items()
            if State(job["state"]) not in ENDED and job["project"] == project and "data" in job["spec"]
        }
        assert jobs <= needed_by
        assert bool(jobs) == (bool(needed_by) and not force)
        assert self.store.data_store(project, "s3") is None or jobs

    @rule(which=pick, host=st.sampled_from(HOSTS), units=st.lists(st.sampled_from(["0", "1", "g0", "zz"]), max_size=3))
    def assign_blindly(self, which: int, host: str, units: list[str]) -> None:
        job_id, fields = self._job(which)
        if job_id:
            kind, flavor = Kind(fields["kind"]), fields["flavor"]
            fence = self._fence(job_id, which)
            begun = self.store.assign(Assignment(job_id, fence, kind, flavor, host, tuple(units)))
            if begun is not None:
                assert (fields["state"], fields["fence"], len(units)) == (State.QUEUED, fence, int(fields["units"]))

    @rule(
        which=pick,
        step=st.sampled_from(Step),
        holder=st.sampled_from(["w1", "w2"]),
        host=st.sampled_from(HOSTS),
        give_back=st.booleans(),
    )
    def step(self, which: int, step: Step, holder: str, host: str, give_back: bool) -> None:
        job_id, fields = self._job(which)
        if not job_id:
            return
        lease = Lease(job_id, self._fence(job_id, which), state_of(step), holder)
        begun = self.store.begin_step(lease, 3000, host, host)
        if begun.job is not None:
            assert fields["state"] == state_of(step)
            assert fields["fence"] == lease.fence
            assert fields["host"] == host
        if give_back:
            self.store.release_lease(lease)

    @rule(which=pick, holder=st.sampled_from(["w1", "w2"]))
    def renew(self, which: int, holder: str) -> None:
        job_id, fields = self._job(which)
        if job_id:
            lease = Lease(job_id, self._fence(job_id, which), State(fields["state"]), holder)
            kept = self.store.renew_leases([lease], 3000)
            assert kept == [fields.get("lease_holder") == holder and lease.fence == fields["fence"]]

    @rule(which=pick, holder=st.sampled_from(["w1", "w2"]))
    def hand_over(self, which: int, holder: str) -> None:
        job_id, _ = self._job(which)
        if job_id:
            self.store.hand_over(Lease(job_id, self._fence(job_id, which), State.RUNNING, holder))

    @rule(
        which=pick,
        to=st.sampled_from([state for state in State if state is not State.INITIALIZING]),
        believed=st.none() | st.sampled_from(State),
        holder=st.none() | st.sampled_from(["w1", "w2"]),
        cause=st.none() | st.sampled_from(EndCause),
        ran_ms=st.integers(0, 200_000),
    )
    def transition(
        self, which: int, to: State, believed: State | None, holder: str | None, cause: EndCause | None, ran_ms: int
    ) -> None:
        job_id, _ = self._job(which)
        if job_id:
            self._move(job_id, self._fence(job_id, which), to, believed, holder, cause, ran_ms)

    @rule(which=pick, way=st.lists(pick, min_size=1, max_size=6), cause=st.sampled_from(EndCause))
    def go_its_way(self, which: int, way: list[int], cause: EndCause) -> None:
        """A placed job takes legal moves, as its host would make them: random calls alone seldom get that far."""
        self.place(60)
        job_id, _ = self._job(which)
        for choice in way if job_id else ():
            now = self.redis.hgetall(self.keys("job", job_id))
            if now["state"] in (State.QUEUED, State.DONE) or "spec" not in now:  # deleted, as somebody wanted
                return
            state = State(now["state"])
            aside = sorted(TARGETS[state])
            to = MAIN_ROAD[state] if choice % 3 and state in MAIN_ROAD else aside[choice % len(aside)]
            self._move(job_id, now["fence"], to, None, None, cause, choice % 200_000)
            self.histories_only_grow_by_legal_moves()

    @rule(which=pick)
    def stop(self, which: int) -> None:
        job_id, before = self._job(which)
        if job_id:
            answer = self.store.stop(job_id, "enough")
            stoppable = before["state"] in (State.QUEUED, State.INITIALIZING, State.PENDING, State.RUNNING)
            stoppable = stoppable or (before["state"], before.get("evicting")) == (State.INTERRUPTING, "1")
            assert answer.done == stoppable

    @rule(which=pick)
    def start(self, which: int) -> None:
        job_id, before = self._job(which)
        if not job_id:
            return
        try:
            answer = self.store.start(job_id, "again")
        except (QuotaExceeded, BudgetExceeded, InvalidInput):
            assert before["state"] in ENDED
            assert self.redis.hgetall(self.keys("job", job_id)) == before
            return
        assert answer.done == (before["state"] in ENDED)
        if answer.done:
            now = self.store.get(job_id)
            assert (now.state, now.attempt) == (State.QUEUED, int(before["attempt"]) + 1)
            assert (now.platform_tries, now.own_tries, now.stop_asked, now.end_cause) == (0, 0, False, None)

    @rule(which=pick, force=st.booleans())
    def delete(self, which: int, force: bool) -> None:
        job_id, before = self._job(which)
        if not job_id:
            return
        answer = self.store.delete(job_id, force=force, message="gone")
        gone = before["state"] in ENDED or (force and before["state"] == State.QUEUED)
        assert answer.done == gone
        assert (self.store.existing([job_id]), self.store.get_many([job_id]) == []) == ({job_id}, gone)
        assert not self.store.transition(job_id, before["fence"], State.QUEUED).moved or not gone

    @rule(which=pick, timeout_s=st.none() | st.integers(0, 300), restart=st.none() | st.booleans(), more=st.booleans())
    def edit(self, which: int, timeout_s: int | None, restart: bool | None, more: bool) -> None:
        job_id, before = self._job(which)
        if not job_id:
            return
        fence = self._fence(job_id, which) if more else None
        try:
            answer = self.store.edit(
                job_id, fence=fence, timeout_s=timeout_s, by_job=more, auto_restart=restart, labels={"n": str(which)}
            )
        except (BudgetExceeded, InvalidInput):
            answer = Ordered(False, None, "budget")
        after = self.redis.hgetall(self.keys("job", job_id))
        if not answer.done:
            assert after == before
            return
        assert fence in (None, before["fence"])
        assert json.loads(after["labels"])["n"] == str(which)
        if timeout_s is not None:
            assert after["timeout_s"] == str(timeout_s)
            if before["state"] == State.RUNNING:
                deadline = int(before["running_ms"]) + timeout_s * 1000 if timeout_s else None
                assert self.redis.zscore(self.keys("deadlines"), job_id) == deadline

    @rule(which=pick, holder=st.sampled_from(["w1", "w2"]), pause_ms=st.integers(0, 20_000))
    def postpone(self, which: int, holder: str, pause_ms: int) -> None:
        job_id, before = self._job(which)
        if job_id:
            fence = self._fence(job_id, which)
            done = self.store.postpone(Lease(job_id, fence, State.FINALIZING, holder), pause_ms, "later")
            assert done == (before.get("lease_holder") == holder and before["fence"] == fence)

    @rule(least_s=st.integers(0, 200))
    def recover_lost(self, least_s: int) -> None:
        """Jobs of hosts that have been silent for as long as they said, and only those, may be taken from them."""
        for job in self.store.get_many(self.store.jobs_of_lost_hosts(finalizing_ms=0, gap_ms=10**9, limit=100)):
            assert self.now_ms - int(self.redis.hget(self.keys("host", job.host), "seen_ms") or 0) >= LOST_MS
        for job in self.store.get_many(self.redis.zrange(self.keys("jobs"), 0, -1)):
            if job.state in (State.PENDING, State.RUNNING):
                silent_ms = self.now_ms - int(self.redis.hget(self.keys("host", job.host), "seen_ms") or 0)
                moved = self.store.transition(job.id, job.fence, State.QUEUED, lost_ms=least_s * 1000)
                assert moved.moved == (silent_ms >= max(LOST_MS, least_s * 1000))

    @rule(host=st.sampled_from(HOSTS), which=pick, ran_ms=st.integers(0, 200_000))
    def heartbeat(self, host: str, which: int, ran_ms: int) -> None:
        job_id, _ = self._job(which)
        seen = [Seen(job_id, self._fence(job_id, which), ran_ms)] if job_id else []
        jobs = self.store.heartbeat(host, instance=host, fit=True, seen=seen, timing=TIMING, resend_ms=5000)
        if jobs is not None:
            assert {job.job_id for job in jobs.jobs} == self.redis.smembers(self.keys("host_jobs", host))
            again = self.store.heartbeat(host, instance=host, fit=True, seen=[], timing=TIMING, resend_ms=5000)
            assert again is not None
            assert not again.place, "said to one only"
            assert not any(job.resend or job.recopy for job in again.jobs), "one call for each silence"

    @rule()
    def sweep(self) -> None:
        marked = self.store.sweep_deadlines(100)
        assert self.store.sweep_deadlines(100) == []
        for job_id in marked:
            assert self.redis.hget(self.keys("job", job_id), "state") == State.TIMEOUT

    @rule(which=pick, begins=st.integers(-2, 2), lines=st.integers(1, 3))
    def log(self, which: int, begins: int, lines: int) -> None:
        job_id, fields = self._job(which)
        if job_id and fields["state"] != State.QUEUED:  # a run gets its fence with its host
            fence, attempt = self._fence(job_id, which), int(fields["attempt"])
            before = self.store.log_state(job_id, attempt)
            first = max(0, before.next + begins)
            new = [b"2026-11-22T00:00:00Z stdout F x"] * lines
            stand = self.store.append_log(job_id, fence, first=first, lines=new, ring_bytes=120)
            now = self.store.log_state(job_id, attempt).next
            assert stand.known == (fence == fields["fence"])
            assert now == (max(before.next, first + lines) if stand.known else before.next)

    @rule(which=pick, first=st.integers(0, 5), ends=st.booleans())
    def a_chunk_is_registered(self, which: int, first: int, ends: bool) -> None:
        job_id, fields = self._job(which)
        if job_id and fields["state"] != State.QUEUED:
            fence = self._fence(job_id, which)
            if ends:
                self.store.end_log(job_id, fence, total=4)
            self.store.register_log_chunk(job_id, fence, first=first * 2, count=2, size=30, max_bytes=100)

    @rule(seconds=st.integers(1, 130))
    def time_passes(self, seconds: int) -> None:
        self.now_ms += seconds * 1000

    @rule()
    def the_last_call_is_sent_again(self) -> None:
        if self.last is not None:
            name, arguments = self.last
            before, now_ms = self._everything(), self.now_ms
            self.now_ms = arguments["now_ms"]
            answer = self._run(name, arguments)
            self.now_ms = now_ms
            if name in ANSWER_AGAIN:
                assert answer == self.answer, f"{name} answers otherwise when it is sent again"
            # What marks the passing of time only: a sweep's notes, a lease of a host.
            if name not in ("placement_view", "lost_hosts"):
                assert self._everything() == before, f"{name} applied twice"

    # ── what must hold ──────────────────────────────────────────────────────────────────────────────────────────

    @invariant()
    def histories_only_grow_by_legal_moves(self) -> None:
        for job_id, fields in self._jobs().items():
            raw = self._history(job_id)
            known = self.histories.get(job_id, [])
            assert raw[: len(known)] == known
            self.histories[job_id] = raw
            states = [State(entry[1]) for entry in raw]
            assert states[0] is State.QUEUED
            assert states[-1] == fields["state"]
            assert all(pair in LEGAL for pair in pairwise(states))
            attempts = [entry[2] for entry in raw]
            assert attempts == sorted(attempts)
            fences = self.fences.setdefault(job_id, [])
            if not fences or fences[-1] != fields["fence"]:
                assert fields["fence"] not in fences
                fences.append(fields["fence"])

    @invariant()
    def indexes_agree(self) -> None:
        jobs = self._jobs()
        for state in State:
            inside = set(self.redis.zrange(self.keys("state", state), 0, -1))
            assert inside == {job_id for job_id, job in jobs.items() if job["state"] == state}
        assert set(self.redis.zrange(self.keys("jobs"), 0, -1)) == set(jobs)
        found_by = {
            ref
            for job_id, job in jobs.items()
            for ref in (f"i/{job_id}/{job['project']}", f"n/{self._name(job)}/{job['project']}/{job_id}")
        }
        assert set(self.redis.zrange(self.keys("refs"), 0, -1)) == found_by
        for host in HOSTS:
            held = self.redis.smembers(self.keys("host_jobs", host))
            assert held == {i for i, j in jobs.items() if STATES[State(j["state"])].on_host and j["host"] == host}
        deadlines = set(self.redis.zrange(self.keys("deadlines"), 0, -1))
        assert deadlines == {
            job_id for job_id, job in jobs.items() if job["state"] == State.RUNNING and job["timeout_s"] != "0"
        }
        billing = set(self.redis.zrange(self.keys("billing"), 0, -1))
        running = {job_id for job_id, job in jobs.items() if job["state"] in (State.RUNNING, State.TIMEOUT)}
        stopping = {job_id for job_id, job in jobs.items() if job["state"] == State.INTERRUPTING}
        assert running <= billing <= running | stopping

    @invariant()
    def counters_agree(self) -> None:
        used: Counter[str] = Counter()
        for job in self._jobs().values():
            if STATES[State(job["state"])].counted and "held" not in job:
                used[f"{job['project']}/{job['kind']}"] += int(job["units"])
                used[f"{job['project']}/jobs"] += 1
        held = {key: int(value) for key, value in self.redis.hgetall(self.keys("quota_used")).items() if value != "0"}
        assert held == dict(used)
        standing = Counter(f"{job['project']}/{job['state']}" for job in self._jobs().values())
        told = {name: int(number) for name, number in self.redis.hgetall(self.keys("standing")).items()}
        assert {name: number for name, number in told.items() if number} == standing

    def every_move_is_counted_once(self) -> None:
        # A budget's warning is an event of no job.
        told = [event for _, event in self.redis.xrange(self.keys("events")) if "job" in event]
        events = [event for event in told if event["state"] != "deleted"]
        moves = read_counters(self.redis.hgetall(self.keys("counters"))).moves
        assert moves == Counter((event["state"], event["code"]) for event in events)

    @invariant()
    def reservations_agree(self) -> None:
        reserved = set()
        for job_id, job in self._jobs().items():
            if STATES[State(job["state"])].holds_units:
                units = json.loads(job["unit_ids"])
                assert len(units) == int(job["units"])
                for unit in units:
                    assert (job["host"], job["flavor"], unit) not in reserved, "a unit was given twice"
                    reserved.add((job["host"], job["flavor"], unit))
                    assert self.redis.hget(self.keys("host_units", job["host"], job["flavor"]), unit) == job_id
        for host in HOSTS:
            for flavor in FLAVORS:
                units = self.redis.hgetall(self.keys("host_units", host, flavor))
                taken = {(host, flavor, unit) for unit, holder in units.items() if holder not in ("", "!")}
                assert taken == {key for key in reserved if key[:2] == (host, flavor)}

    @invariant()
    def projects_with_data_stores_are_known(self) -> None:
        known = self.redis.smembers(self.keys("data_store_projects"))
        assert known == {project for project in PROJECTS if self.store.data_stores(project)}

    @invariant()
    def every_key_is_in_the_legend(self) -> None:
        patterns = [
            re.compile(re.sub(r"\\{\w+\\}", "[^:]+", re.escape(key.pattern)) + r"\Z") for key in LEGEND.values()
        ]
        for name in self.redis.keys(f"{self.keys.root}*"):
            rest = name.removeprefix(self.keys.root)
            assert any(pattern.match(rest) for pattern in patterns), name

    # ── helpers ─────────────────────────────────────────────────────────────────────────────────────────────────

    def _move(
        self,
        job_id: str,
        fence: str,
        to: State,
        believed: State | None,
        holder: str | None,
        cause: EndCause | None,
        ran_ms: int,
    ) -> None:
        """Makes a move, and checks that it happened exactly if it should."""
        before = self.redis.hgetall(self.keys("job", job_id))
        fields = {"started_ms": self.now_ms} if to is State.RUNNING else {}
        again = Again.PLATFORM if ran_ms % 2 else Again.RESTART
        moved = self.store.transition(
            job_id, fence, to, only_from=None if believed is None else [believed], holder=holder, cause=cause,
            fields=fields, ran_ms=ran_ms if ran_ms % 5 else None, again=again, pause_ms=ran_ms % 3 * 1000,
        )  # fmt: skip
        after = self.redis.hgetall(self.keys("job", job_id))
        legal = State(before["state"]) in sources(to) and believed in (None, before["state"])
        if to is State.QUEUED:
            legal = (
                legal
                and "1" not in (before.get("stop_asked"), before.get("push_asked"))
                and (again is Again.PLATFORM or before["auto_restart"] == "1")
                and (before["state"] != State.INTERRUPTING or before.get("evicting") == "1")
            )
        ours = fence == before["fence"] and holder in (None, before.get("lease_holder"))
        assert moved.moved == (legal and ours), (before, to, again)
        if not moved.moved:
            assert after == before
        elif before.get("delete_asked") == "1" and to in ENDED:
            assert "spec" not in after
        elif to is State.QUEUED:
            tries = 0 if again is Again.RESTART else int(before.get("platform_tries", 0)) + 1
            assert int(after.get("platform_tries", 0)) == tries
            assert after["attempt"] == str(int(before["attempt"]) + 1)
            assert after["fence"] != before["fence"]
        elif before.get("end_cause"):
            assert after["end_cause"] == before["end_cause"], "the first cause stands"

    def _jobs(self) -> dict[str, dict[str, str]]:
        ids = self.redis.zrange(self.keys("jobs"), 0, -1)
        pipe = self.redis.pipeline(transaction=False)
        for job_id in ids:
            pipe.hgetall(self.keys("job", job_id))
        return dict(zip(ids, pipe.execute(), strict=True))

    def _history(self, job_id: str) -> list[list[Any]]:
        """The moves of a job, wherever they stand."""
        settled = self.redis.get(self.keys("settled", job_id))
        _, moves = unsettled({}, settled, self.redis.lrange(self.keys("history", job_id), 0, -1))
        return [json.loads(move) for move in moves]

    def _job(self, which: int) -> tuple[str, dict[str, str]]:
        jobs = sorted(self._jobs().items(), key=lambda item: (item[1]["created_ms"], item[0]))
        return jobs[which % len(jobs)] if jobs else ("", {})

    def _fence(self, job_id: str, which: int) -> str:
        """Mostly the current fence, sometimes an older one, sometimes the right number with a wrong token."""
        known = self.fences.get(job_id) or [self.redis.hget(self.keys("job", job_id), "fence") or ""]
        if which % 7 == 0:
            return known[-1].split(".")[0] + ".0000000000000000"
        return known[0] if which % 5 == 0 else known[-1]

    def _everything(self) -> dict[str, Any]:
        dump: dict[str, Any] = {}
        for name in self.redis.keys(f"{self.keys.root}*"):
            dump[name] = self._read(name)
        return dump

    def _read(self, name: str) -> Any:
        match self.redis.type(name):
            case "hash":
                return self.redis.hgetall(name)
            case "zset":
                return self.redis.zrange(name, 0, -1, withscores=True)
            case "set":
                return self.redis.smembers(name)
            case "string":
                return self.redis.get(name)
            case "list":
                return self.redis.lrange(name, 0, -1)
            case _:
                return self.redis.xlen(name)


@pytest.mark.timeout(400)
@pytest.mark.timeout(600)
def test_random_histories(redis: RedisServer) -> None:
    StoreMachine.url = redis.url
    run_state_machine_as_test(
        StoreMachine,
        settings=settings(
            max_examples=EXAMPLES,
            stateful_step_count=40,
            deadline=None,
            suppress_health_check=list(HealthCheck),
            # Shrinking a history takes minutes; the failing one is printed as it is.
            phases=(Phase.explicit, Phase.reuse, Phase.generate),
        ),
    )
