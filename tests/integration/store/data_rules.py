"""The part of the random histories that orders on data play: results not pushed, and copies while a job runs."""

from __future__ import annotations

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule
from redis import Redis

from aitrain.domain.copying import CopyState
from aitrain.domain.job import Direction
from aitrain.domain.states import ENDED, STATES, EndCause, InfoCode, State
from aitrain.store import CopyLease, Store
from aitrain.store.keys import Keys

# What of a job an order to push its results again, or to copy its data, must not change.
STANDS = ("attempt", "fence", "end_cause", "exit_code", "started_ms", "finished_ms", "ran_ms", "billed_minutes", "host")
HOSTS = ("h1", "h2")
pick = st.integers(0, 10**6)


class DataRules(RuleBasedStateMachine):
    """Rules and what must hold, for the machine that drives a store with a clock of its own."""

    store: Store
    redis: Redis
    keys: Keys
    now_ms: int

    def submit(self, project: str, flavor: str, units: int, again: bool, priority: int | None) -> None:
        """Submits a job, if its project's quota allows."""
        raise NotImplementedError

    def place(self, patience_s: int) -> None:
        """Places what waits."""
        raise NotImplementedError

    def histories_only_grow_by_legal_moves(self) -> None:
        """Checks it, and learns the fences."""
        raise NotImplementedError

    def the_last_call_is_sent_again(self) -> None:
        """Checks that it changes nothing more, and is answered as before."""
        raise NotImplementedError

    def _jobs(self) -> dict[str, dict[str, str]]:
        raise NotImplementedError

    def _job(self, which: int) -> tuple[str, dict[str, str]]:
        raise NotImplementedError

    def _fence(self, job_id: str, which: int) -> str:
        raise NotImplementedError

    @rule(
        which=pick,
        keep_ms=st.integers(0, 90_000),
        then=st.lists(st.sampled_from(["again", "late", "gone"]), max_size=3),
    )
    def results_are_not_pushed(self, which: int, keep_ms: int, then: list[str]) -> None:
        """A job ends ERROR because its results could not be pushed, and what may follow."""
        job_id, before = self._placed(which)
        if not job_id:
            return
        fence = before["fence"]
        for to in (State.PENDING, State.RUNNING, State.FINALIZING):
            self.store.transition(job_id, fence, to, cause=EndCause.COMPLETED, message=f"to {to}")
            self.histories_only_grow_by_legal_moves()
        moved = self.store.transition(
            job_id, fence, State.ERROR, only_from=[State.FINALIZING], code=InfoCode.JOB_SYNC_FAILED, keep_ms=keep_ms,
            cause=EndCause.DATA_FAULT, message="not pushed",
        )  # fmt: skip
        if moved.moved and before.get("delete_asked") != "1":
            kept = self.store.get(job_id)
            assert kept.kept_until_ms == (self.now_ms + keep_ms if keep_ms else 0)
            for what in [*then, "again"]:
                match what:
                    case "again":
                        self._retry_push(job_id)
                    case "late":
                        self.now_ms += 30_000
                    case "gone":
                        self._expire(job_id, fence, keep_ms, look=False)
                self.histories_only_grow_by_legal_moves()

    @rule(which=pick)
    def retry_push(self, which: int) -> None:
        job_id, _ = self._job(which)
        if job_id:
            self._retry_push(job_id)

    def _retry_push(self, job_id: str) -> None:
        before = self.redis.hgetall(self.keys("job", job_id))
        lines = sorted(self.store.ledger_lines(before["project"]), key=str)
        answer = self.store.retry_push(job_id, "pushed again")
        self.the_last_call_is_sent_again()
        after = self.redis.hgetall(self.keys("job", job_id))
        ended = before["state"] in ENDED
        lost = (before["state"], before["code"]) == (State.ERROR, InfoCode.JOB_SYNC_FAILED)
        here = (self.redis.zscore(self.keys("hosts"), before.get("host", "")) or 0) > self.now_ms
        assert answer.done == (lost and here and "expired_ms" not in before)
        assert sorted(self.store.ledger_lines(before["project"]), key=str) == lines, "nothing is billed"
        if answer.done:
            assert after["state"] == State.FINALIZING
            assert "kept_until_ms" not in after
            assert [after.get(name) for name in STANDS] == [before.get(name) for name in STANDS]
            assert not self.store.transition(job_id, after["fence"], State.QUEUED).moved, "it does not run again"
        else:
            assert after == before
            assert answer.why == ("alive" if not ended else "nothing" if not lost else answer.why)

    @rule(which=pick, keep_ms=st.integers(0, 90_000), look=st.booleans())
    def expire_results(self, which: int, keep_ms: int, look: bool) -> None:
        job_id, _ = self._job(which)
        if job_id:
            self._expire(job_id, self._fence(job_id, which), keep_ms, look=look)

    def _expire(self, job_id: str, fence: str, keep_ms: int, *, look: bool) -> None:
        before = self.redis.hgetall(self.keys("job", job_id))
        kept = self.store.expire_results(job_id, fence, keep_ms, look=look)
        assert kept.known
        if kept.expired:
            assert before["state"] in ENDED
            assert kept.until_ms is not None
            assert 0 < kept.until_ms <= self.now_ms
            if "kept_until_ms" in before and fence == before["fence"] and not look:
                assert self.store.retry_push(job_id, "late").why == "expired"
        if look or not kept.expired or fence != before["fence"]:
            assert self.redis.hgetall(self.keys("job", job_id)) == before

    # ── copies while it runs ────────────────────────────────────────────────────────────────────────────────────

    @rule(
        which=pick, story=st.lists(st.tuples(st.sampled_from("order begin end lapse leave".split()), pick), max_size=4)
    )
    def copies(self, which: int, story: list[tuple[str, int]]) -> None:
        """A job that runs is given orders to copy; workers take them up, die at them, come late; the job ends."""
        job_id, fields = self._placed(which)
        for to in (State.PENDING, State.RUNNING) if job_id else ():
            self.store.transition(job_id, fields["fence"], to)
        for what, choice in [("order", which), ("begin", 2), *story] if job_id else ():
            direction, holder = list(Direction)[choice % 2], ("w1", "w2")[choice % 2]
            match what:
                case "order":
                    self._order_copy(job_id, direction, dry_run=choice % 3 == 0)
                case "begin":
                    self._begin_copy(job_id, choice, holder, fields["host"], old=choice % 11 == 0)
                case "end":
                    self._end_copy(job_id, holder, (CopyState.DONE, CopyState.FAILED)[choice % 2])
                case "lapse":
                    self.now_ms += 3000
                case "leave" if choice % 3 == 0:
                    self.store.transition(job_id, fields["fence"], State.FINALIZING)
            self.an_open_copy_is_of_a_running_job()

    @rule(which=pick, direction=st.sampled_from(Direction), dry_run=st.booleans())
    def order_copy(self, which: int, direction: Direction, dry_run: bool) -> None:
        job_id, _ = self._job(which)
        if job_id:
            self._order_copy(job_id, direction, dry_run=dry_run)

    def _order_copy(self, job_id: str, direction: Direction, *, dry_run: bool) -> None:
        before = self.redis.hgetall(self.keys("job", job_id))
        open_before = self.store.last_copy(job_id)
        answer = self.store.order_copy(job_id, direction, mount_path="", dry_run=dry_run, by="ann")
        self.the_last_call_is_sent_again()
        free = open_before is None or open_before.over
        assert answer.done == (before["state"] == State.RUNNING and free)
        after = self.redis.hgetall(self.keys("job", job_id))
        if answer.done:
            assert answer.copy is not None
            assert (answer.copy.state, answer.copy.fence) == (CopyState.ASKED, before["fence"])
            assert {name: after.get(name) for name in before} == before
        else:
            assert after == before

    @rule(which=pick, holder=st.sampled_from(["w1", "w2"]), host=st.sampled_from(HOSTS), old=st.booleans())
    def begin_copy(self, which: int, holder: str, host: str, old: bool) -> None:
        job_id, _ = self._job(which)
        if job_id:
            self._begin_copy(job_id, which, holder, host, old=old)

    def _begin_copy(self, job_id: str, which: int, holder: str, host: str, *, old: bool) -> None:
        before = self.redis.hgetall(self.keys("job", job_id))
        copy = self.store.last_copy(job_id)
        if copy is None:
            return
        held = self.redis.hgetall(self.keys("copy", job_id))
        lease = CopyLease(job_id, self._fence(job_id, which), "old" if old else copy.id, holder)
        begun = self.store.begin_copy(lease, 3000, host, host)
        free = held.get("holder") in (None, holder) or int(held.get("lease_ms", 0)) <= self.now_ms
        right = lease.fence == before["fence"] == copy.fence and host == before.get("host") and not old
        assert (begun is not None) == (right and free and not copy.over)
        if begun is not None:
            assert before["state"] == State.RUNNING

    @rule(which=pick, holder=st.sampled_from(["w1", "w2"]), state=st.sampled_from([CopyState.DONE, CopyState.FAILED]))
    def renew_and_end_copy(self, which: int, holder: str, state: CopyState) -> None:
        job_id, _ = self._job(which)
        if job_id:
            self._end_copy(job_id, holder, state)

    def _end_copy(self, job_id: str, holder: str, state: CopyState) -> None:
        before = self.redis.hgetall(self.keys("job", job_id))
        copy = self.store.last_copy(job_id)
        if copy is None:
            return
        held = self.redis.hget(self.keys("copy", job_id), "holder") == holder
        lease = CopyLease(job_id, copy.fence, copy.id, holder)
        assert self.store.renew_copies([lease], 3000) == [held and copy.state is CopyState.WORKING]
        ended = self.store.end_copy(lease, state, summary="s", lines=["a"])
        self.the_last_call_is_sent_again()
        assert ended == (held and (copy.state is CopyState.WORKING or copy.state is state))
        after = self.redis.hgetall(self.keys("job", job_id))
        left = {name for name in before if name not in ("copying", "copy_due_ms")}
        assert {name: after.get(name) for name in left} == {name: before[name] for name in left}

    @invariant()
    def an_open_copy_is_of_a_running_job(self) -> None:
        for job_id, job in self._jobs().items():
            copy = self.store.last_copy(job_id)
            is_open = copy is not None and not copy.over
            assert is_open == ("copying" in job) == ("copy_due_ms" in job)
            if copy is not None and is_open:
                assert (job["state"], job["fence"], job["copying"]) == (State.RUNNING, copy.fence, copy.direction)

    def _placed(self, which: int) -> tuple[str, dict[str, str]]:
        """One of the jobs that are on a host, a new one if there is none yet; nothing if none can be placed now."""
        for _ in range(2):
            self.place(60)
            jobs = [item for item in sorted(self._jobs().items()) if STATES[State(item[1]["state"])].on_host]
            if jobs:
                return jobs[which % len(jobs)]
            self.submit("red", "cpu", 1, again=False, priority=None)
        return "", {}
