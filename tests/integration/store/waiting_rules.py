"""The part of the random histories that is about waiting: lines, recent use, kept hosts."""

from __future__ import annotations

from collections import Counter

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule
from redis import Redis

from aitrain.domain.placement import Keep, Rules, place
from aitrain.domain.states import STATES, State
from aitrain.store import Store
from aitrain.store.keys import Keys

HOSTS, FLAVORS = ("h1", "h2"), ("cpu", "v100s")


class WaitingRules(RuleBasedStateMachine):
    """Rules and what must hold, for the machine that drives a store with a clock of its own."""

    store: Store
    redis: Redis
    keys: Keys
    now_ms: int

    def _jobs(self) -> dict[str, dict[str, str]]:
        raise NotImplementedError

    def _job(self, which: int) -> tuple[str, dict[str, str]]:
        raise NotImplementedError

    @rule(patience_s=st.sampled_from([0, 60]))
    def place(self, patience_s: int) -> None:
        """A placement pass that looks once, with hosts that are kept."""
        rules = Rules(patience_s, margin_s=10)
        plan = place(self.store.placement_view(rules), rules)
        for despite in (False, True):
            for assignment in plan.assignments:
                if bool(assignment.despite) is despite:
                    assert self.store.assign(assignment), "nobody came between the look and this"
            for keep in plan.keeps if not despite else ():
                assert self.store.keep_host(keep)

    @rule(which=st.integers(0, 10**6), host=st.sampled_from(HOSTS), late=st.booleans())
    def keep_blindly(self, which: int, host: str, late: bool) -> None:
        """A host is kept only for a job that waits, and for one at a time."""
        job_id, job = self._job(which)
        if job_id:
            fence = "1.0000000000000000" if late else job["fence"]
            held = self.redis.hget(self.keys("kept", job["flavor"]), host)
            kept = self.store.keep_host(Keep(job_id, fence, job["flavor"], host))
            assert not kept or (job["state"] == State.QUEUED and not late and held in (None, job_id))
            assert not (kept and "held" in job)

    @rule(holder=st.sampled_from(["p1", "p2"]), ends=st.booleans())
    def a_pass(self, holder: str, ends: bool) -> None:
        """Of two passes at once one is at work, and looks again if the other one came."""
        mine = self.store.begin_pass(holder, 5000)
        at_work = self.redis.hgetall(self.keys("placing"))
        assert mine == (at_work["holder"] == holder)
        assert ("asked" in at_work) == (not mine)
        if ends:
            assert self.store.end_pass(holder)

    @invariant()
    def lines_hold_what_waits(self) -> None:
        """In the right line and place, and the index names those lines that are not empty."""
        expected: dict[str, dict[str, float]] = {}
        retries = dict(self.redis.zrange(self.keys("retries"), 0, -1, withscores=True))
        for job_id, job in self._jobs().items():
            if "held" in job:
                assert job_id not in retries
            elif job["state"] == State.QUEUED and job_id in retries:
                assert retries.pop(job_id) == int(job["not_before_ms"])
            elif job["state"] == State.QUEUED:
                line = self.keys("line", job["flavor"], job["units"], job["project"])
                since = int(job.get("not_before_ms", job["state_ms"]))
                expected.setdefault(line, {})[job_id] = (100 - int(job["priority"])) * 10**13 + since
        assert retries == {}
        found = self.redis.keys(self.keys("line", "*", "*", "*"))
        lines = {line: self.redis.zrange(line, 0, -1, withscores=True) for line in found}
        assert {line: dict(jobs) for line, jobs in lines.items()} == expected
        index = {
            self.keys("line", flavor, *name.split("/")): noted
            for flavor in FLAVORS
            for name, noted in self.redis.hgetall(self.keys("lines", flavor)).items()
        }
        assert index == {line: f"{jobs[0][1]:.0f} {jobs[-1][1]:.0f} {jobs[0][0]}" for line, jobs in lines.items()}

    @invariant()
    def use_counts_what_is_held(self) -> None:
        """Of each project, exactly; and its average lies between nothing and all that there is."""
        held: Counter[tuple[str, str]] = Counter()
        for job in self._jobs().values():
            if STATES[State(job["state"])].holds_units:
                held[job["flavor"], job["project"]] += int(job["units"])
        counted = {}
        for flavor in FLAVORS:
            for project, text in self.redis.hgetall(self.keys("use", flavor)).items():
                average, at_ms, units = text.split()
                assert 0 <= float(average) <= 20
                assert int(at_ms) <= self.now_ms
                counted[flavor, project] = int(units)
        assert {key: units for key, units in counted.items() if units} == dict(held)

    @invariant()
    def hosts_are_kept_for_jobs_that_wait(self) -> None:
        """What the hosts say and what the jobs say is the same."""
        kept = {
            (flavor, host, job_id)
            for flavor in FLAVORS
            for host, job_id in self.redis.hgetall(self.keys("kept", flavor)).items()
        }
        assert kept == {
            (job["flavor"], job["kept_host"], job_id) for job_id, job in self._jobs().items() if "kept_host" in job
        }
        assert all(job["state"] == State.QUEUED for job in self._jobs().values() if "kept_host" in job)
