"""The part of the random histories that is about speaking with running jobs, and about what a reference means."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule
from redis import Redis

from aitrain.domain.errors import AmbiguousJob, JobNotFound, JobNotRunning, SessionLost
from aitrain.domain.states import State
from aitrain.store import Entry, Kind, Side, Store, token
from aitrain.store.keys import Keys
from aitrain.store.listing import CANDIDATES
from aitrain.store.sessions import WINDOW_BYTES

READ_AT_ONCE = 16
SAYS = ("take", "say", "say", "say again", "hear", "hear", "beat", "drop")
SIZES = (0, 1, 30_000, WINDOW_BYTES // 2, WINDOW_BYTES + 1)


@dataclass
class Way:
    """What one side has sent, and how far the other one has read."""

    entries: list[Entry] = field(default_factory=list)
    taken: int = 0

    @property
    def sent(self) -> int:
        return self.entries[-1].at if self.entries else 0

    @property
    def left(self) -> list[Entry]:
        return [entry for entry in self.entries if entry.at > self.taken]


@dataclass
class Talk:
    """A session as both sides know it, apart from the store. by: who sends; said_ms: when a side was heard last."""

    job_id: str
    fence: str
    holder: str = ""
    by: dict[Side, Way] = field(default_factory=lambda: {side: Way() for side in Side})
    said_ms: dict[Side, int] = field(default_factory=dict)


class SessionRules(RuleBasedStateMachine):
    """Rules for the machine that drives a store with a clock of its own."""

    store: Store
    redis: Redis
    keys: Keys
    now_ms: int
    last: tuple[str, dict[str, Any]] | None

    def __init__(self) -> None:
        super().__init__()
        self.talks: dict[str, Talk | None] = {}  # None: it is over

    def _jobs(self) -> dict[str, dict[str, str]]:
        raise NotImplementedError

    def _job(self, which: int) -> tuple[str, dict[str, str]]:
        raise NotImplementedError

    def a_host(self) -> None:
        raise NotImplementedError

    def submit(self, project: str, flavor: str, units: int, again: bool, priority: int | None) -> None:
        raise NotImplementedError

    def place(self, patience_s: int) -> None:
        raise NotImplementedError

    @rule(
        which=st.integers(0, 10**6),
        again=st.booleans(),
        story=st.lists(
            st.tuples(st.sampled_from(SAYS), st.sampled_from(Side), st.sampled_from(SIZES)), min_size=5, max_size=15
        ),
    )
    def both_sides_speak(self, which: int, again: bool, story: list[tuple[str, Side, int]]) -> None:
        """What one says, the other hears once and in order; and neither is far behind."""
        if which % 8:
            self._bring_one_to_run()
        self._ask(which, again)
        for says, side, size in story if self.talks else ():
            name = sorted(self.talks)[which % len(self.talks)]
            self._speak(name, self.talks[name], says, side, size)

    def _bring_one_to_run(self) -> None:
        """Random calls alone seldom get that far."""
        if any(job["state"] == State.RUNNING for job in self._jobs().values()):
            return
        self.a_host()
        self.submit("red", "cpu", 1, again=False, priority=None)
        self.place(0)
        for job_id, job in self._jobs().items():
            if job["state"] == State.INITIALIZING:
                self.store.transition(job_id, job["fence"], State.PENDING)
                self.store.transition(job_id, job["fence"], State.RUNNING, fields={"started_ms": self.now_ms})
                return

    def _ask(self, which: int, again: bool) -> None:
        """Once, however often it is sent, of a job that runs on a host that is there."""
        jobs = self._jobs()
        running = sorted(job_id for job_id, job in jobs.items() if job["state"] == State.RUNNING)
        job_id = running[which % len(running)] if running and which % 4 else self._job(which)[0]
        name, known = token(), [one for one, talk in sorted(self.talks.items()) if talk is not None]
        if again and known:
            name = known[which % len(known)]
            talk = self.talks[name]
            assert talk is not None
            job_id = talk.job_id
        job = jobs.get(job_id, {})
        host = job.get("host", "")
        there = float(self.redis.zscore(self.keys("hosts"), host) or 0) > self.now_ms
        before = self.redis.llen(self.keys("asks", host))
        try:
            self.store.open_session(name, job_id or "nobody", {"what": "exec"})
        except JobNotFound:
            assert not job
        except JobNotRunning:
            assert job["state"] != State.RUNNING
        except SessionLost:
            assert job["state"] == State.RUNNING
            assert not there
        else:
            assert (job["state"], there) == (State.RUNNING, True)
            assert self.redis.llen(self.keys("asks", host)) == before + (name not in self.talks)
            if name not in self.talks:
                self.talks[name] = Talk(job_id, job["fence"], said_ms={Side.CLIENT: self.now_ms})

    def _speak(self, name: str, talk: Talk | None, says: str, side: Side, size: int) -> None:
        match says:
            case "take":
                self._take(name, talk, f"a{size % 2}")
            case "drop" if size == SIZES[0]:
                self.store.drop_session(name)
                self.talks[name], self.last = None, None
            case _ if talk is None:
                self._is_over(name, side)
            case "say":
                self._say(name, talk.by[side], side, size)
            case "say again" if talk.by[side].entries:
                *_, entry = talk.by[side].entries
                cost = max(1, len(entry.data))
                args = name, side, entry.at - cost, entry.kind, entry.data
                assert self.store.send_session(*args) == entry.at
            case "hear":
                self._hear(name, talk, side, size)
            case _:
                self._beat(name, talk, side)

    def _take(self, name: str, talk: Talk | None, holder: str) -> None:
        for host in ("h1", "h2"):
            if self.redis.llen(self.keys("asks", host)):  # else the store would wait for something
                assert self.store.next_ask(host) in self.talks
        asked = self.store.take_session(name, holder)
        if talk is None or talk.holder not in ("", holder):
            assert asked is None
            return
        job = self._jobs().get(talk.job_id, {})
        assert asked is not None
        assert (asked.job_id, asked.fence, asked.details) == (talk.job_id, talk.fence, {"what": "exec"})
        assert asked.runs == ((job.get("state"), job.get("fence")) == (State.RUNNING, talk.fence))
        talk.holder, talk.said_ms[Side.AGENT] = holder, self.now_ms

    def _say(self, name: str, way: Way, side: Side, size: int) -> None:
        kind, data, cost = (Kind.IN if side is Side.CLIENT else Kind.OUT), bytes(size), max(1, size)
        at = self.store.send_session(name, side, way.sent, kind, data)
        if way.left and way.sent + cost - way.taken > WINDOW_BYTES:
            assert at is None
        else:
            assert at == way.sent + cost
            way.entries.append(Entry(at, kind, data))

    def _hear(self, name: str, talk: Talk, side: Side, size: int) -> None:
        way = talk.by[side.other]
        if not way.left:  # the store would wait for something
            return
        heard = self.store.read_session(name, side, way.taken)
        assert heard == way.left[:READ_AT_ONCE]
        way.taken = heard[size % len(heard)].at
        self._beat(name, talk, side)
        assert self.redis.xlen(self.keys("session_way", name, side.other.writes)) == len(way.left)

    def _beat(self, name: str, talk: Talk, side: Side) -> None:
        silent_ms = self.store.beat_session(name, side, talk.by[side.other].taken)
        said_ms = talk.said_ms.get(side.other)
        assert silent_ms == (None if said_ms is None else self.now_ms - said_ms)
        talk.said_ms[side] = self.now_ms

    def _is_over(self, name: str, side: Side) -> None:
        for call in (
            lambda: self.store.beat_session(name, side, 0),
            lambda: self.store.send_session(name, side, 0, Kind.EOF, b""),
        ):
            try:
                call()
            except SessionLost:
                continue
            raise AssertionError("a session that is over goes on")

    @rule(
        which=st.integers(0, 10**6),
        length=st.sampled_from([1, 2, 8, 36]),
        by_name=st.booleans(),
        project=st.none() | st.sampled_from(["red", "blue"]),
    )
    def a_reference_means_one_job(self, which: int, length: int, by_name: bool, project: str | None) -> None:
        job_id, job = self._job(which)
        ref = "nobody" if not job_id else self._name(job) if by_name else job_id[:length].upper()
        meant = {
            one
            for one, its in self._jobs().items()
            if project in (None, its["project"]) and (one.startswith(ref.lower()) or self._name(its) == ref)
        }
        found: list[str] = []
        others = False
        try:
            found = [self.store.find(ref, project)]
        except JobNotFound:
            pass
        except AmbiguousJob as several:
            found, others = list(several.candidates), "and others" in str(several)
        assert len(found) == min(CANDIDATES, len(meant))
        assert set(found) <= meant
        assert others == (len(meant) > CANDIDATES)

    @staticmethod
    def _name(job: dict[str, str]) -> str:
        """Many have the same."""
        return f"n{job['units']}"
