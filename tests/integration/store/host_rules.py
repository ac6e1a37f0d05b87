"""The part of the random histories that operators and agents play who set hosts and units aside."""

from __future__ import annotations

import json
from contextlib import suppress

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule
from redis import Redis

from aitrain.domain.errors import HostNotFound, InvalidInput
from aitrain.domain.states import STATES, State
from aitrain.store import Store
from aitrain.store.keys import Keys

HOSTS, FLAVORS = ("h1", "h2"), ("cpu", "v100s")
UNITS = ("", "0", "1", "cpu/2", "g0", "v100s/g1", "zz")


class HostRules(RuleBasedStateMachine):
    """Rules and what must hold, for the machine that drives a store with a clock of its own."""

    store: Store
    redis: Redis
    keys: Keys
    now_ms: int

    def _jobs(self) -> dict[str, dict[str, str]]:
        raise NotImplementedError

    @rule(host=st.sampled_from(HOSTS), unit=st.sampled_from(UNITS), back=st.booleans())
    def cordon(self, host: str, unit: str, back: bool) -> None:
        """A host or a unit is cordoned, or given back."""
        try:
            if back:
                self.store.uncordon(host, unit)
            else:
                self.store.cordon(host, unit, by="ann", reason="fan")
        except HostNotFound:
            assert not self.redis.exists(self.keys("host", host))
        except InvalidInput:
            assert not any(
                self.redis.hexists(self.keys("host_units", host, flavor), unit.rpartition("/")[2]) for flavor in FLAVORS
            )

    @rule(
        host=st.sampled_from(HOSTS),
        cpu=st.dictionaries(st.sampled_from(["0", "1", "9"]), st.sampled_from(["hot", "dirty"]), max_size=2),
        gpu=st.dictionaries(st.sampled_from(["g0", "g1"]), st.sampled_from(["hot", "dirty"]), max_size=2),
    )
    def report_faults(self, host: str, cpu: dict[str, str], gpu: dict[str, str]) -> None:
        """A host's agent says which units it finds unfit, and after that that another machine does not count."""
        known = self.redis.exists(self.keys("host", host))
        self.store.report_faults(host, instance=host, faults={"cpu": cpu, "v100s": gpu})
        entries = self.redis.hgetall(self.keys("host_aside", host))
        found = {name: json.loads(text).get("agent") for name, text in entries.items() if "agent" in json.loads(text)}
        said = {**{f"cpu/{unit}": why for unit, why in cpu.items()}, **{f"v100s/{u}": why for u, why in gpu.items()}}
        assert found == (said if known else {})
        assert not self.store.report_faults(host, instance="another", faults={})
        assert self.redis.hgetall(self.keys("host_aside", host)) == entries

    @rule(host=st.sampled_from(HOSTS), unit=st.sampled_from(UNITS), seconds=st.integers(-1, 90), late=st.booleans())
    def drain(self, host: str, unit: str, seconds: int, late: bool) -> None:
        """A host or a unit is drained, maybe with a deadline that passes before anybody looks."""
        before = self._jobs()
        with suppress(HostNotFound, InvalidInput):
            self.store.cordon(host, unit, by="ann", reason="move", drain_ms=max(-1, 1000 * seconds))
            self.now_ms += 100_000 if late else 0
            evicted = self.store.sweep_drains(10)
            assert self.store.sweep_drains(10) == [], "each is evicted once"
            after = self._jobs()
            for job_id in evicted:
                assert before[job_id]["state"] in ("INITIALIZING", "PENDING", "RUNNING")
                assert after[job_id]["state"] in (State.INTERRUPTING, State.TIMEOUT)
            if unit == "" and (seconds == 0 or (late and seconds > 0)):
                assert not any(
                    after[job_id]["state"] in ("INITIALIZING", "PENDING", "RUNNING")
                    for job_id in self.redis.smembers(self.keys("host_jobs", host))
                )

    @rule(host=st.sampled_from(HOSTS), force=st.booleans())
    def remove_host(self, host: str, force: bool) -> None:
        """A host is removed, if it is not alive and has no jobs."""
        before = {job_id: job["state"] for job_id, job in self._jobs().items() if job.get("host") == host}
        lease = self.redis.zscore(self.keys("hosts"), host)
        try:
            answer = self.store.remove_host(host, force=force, message="gone", keep_ms=0)
        except HostNotFound:
            assert lease is None
            return
        if answer.done:
            assert lease is not None
            assert lease <= self.now_ms
            on_host = {job_id for job_id, state in before.items() if STATES[State(state)].on_host}
            assert all(before[job_id] == State.FINALIZING for job_id in on_host)
            assert force or not on_host
            assert not self.redis.keys(f"{self.keys.root}host:{host}*")
            assert set(answer.jobs) == on_host

    @invariant()
    def views_say_what_is(self) -> None:
        """The listing counts as the store does."""
        for view in self.store.host_views(HOSTS):
            for flavor in view.flavors:
                free = self.redis.zscore(self.keys("free", flavor.flavor), view.name)
                assert free in (None, flavor.free)
            assert {job.id for job in view.jobs} == self.redis.smembers(self.keys("host_jobs", view.name))

    @invariant()
    def what_stands_of_units_follows_from_the_facts(self) -> None:
        """No unit is lost or counted twice, and the index counts those that jobs may have now."""
        held: dict[tuple[str, str, str], str] = {}
        for job_id, job in self._jobs().items():
            if STATES[State(job["state"])].holds_units:
                held.update({(job["host"], job["flavor"], unit): job_id for unit in json.loads(job["unit_ids"])})
        for host in HOSTS:
            aside = self.redis.hkeys(self.keys("host_aside", host))
            cordoned = self.redis.hexists(self.keys("host", host), "cordon_ms")
            for flavor in FLAVORS:
                offered = self.redis.smembers(self.keys("host_offers", host, flavor))
                mine = {unit: job_id for (at, of, unit), job_id in held.items() if (at, of) == (host, flavor)}
                expected = {unit: "!" if f"{flavor}/{unit}" in aside else "" for unit in offered}
                stands = self.redis.hgetall(self.keys("host_units", host, flavor))
                assert stands == {**expected, **mine}
                free = self.redis.zscore(self.keys("free", flavor), host)
                assert free == (None if cordoned or not offered else list(stands.values()).count(""))
