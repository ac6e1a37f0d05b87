"""What a site's job store tells whoever watches it: read at once, in few round trips, at a cost that no job adds to.

Apart from the store, because a scrape wants an answer in time: nothing is tried a second time here.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from aitrain.domain.counting import Counters, read_counters, read_standing, whole_numbers
from aitrain.domain.host import HostState, host_state
from aitrain.store.connection import redis_asked_once
from aitrain.store.keys import Keys
from aitrain.store.scripts import Scripts, answering
from aitrain.store.weighing import Scales

ANSWER_SECONDS = 2.0
# Hosts that are read in one script: a script holds up everybody else.
HOSTS_AT_ONCE = 100


@dataclass(frozen=True)
class UnitGauge:
    """Units of a flavor on a host: all, those that jobs hold, and those that nobody holds and no job gets."""

    total: int
    held: int
    aside: int


@dataclass(frozen=True)
class HostGauge:
    """How a host stands. seen_s_ago: since its last heartbeat; disk: bytes free and in all, None if it has not said."""

    name: str
    state: HostState
    seen_s_ago: float
    jobs: int
    units: Mapping[str, UnitGauge]
    disk: tuple[int, int] | None = None


@dataclass(frozen=True)
class Readings:
    """How a site stands. Times: seconds; *_at: Unix time.

    server: of Redis' INFO; keys: that it has; memory: bytes by kind, see weighing.py; standing: project, state,
    number of jobs; refused: messages that workers refused to take, by queue; sweeps: when each succeeded last, and
    when each process proved last that it works, by role and name (canaries); waiting: by flavor, how many jobs wait
    and for how long the oldest does; held, retries: jobs that wait for quota or budget, and for the end of a pause;
    oldest: by state, for how long the one has been in it that came first; due: by duty, how much is due, and since
    when the first of it; hosts: all; removed: hosts whose queues may hold messages still; flavors: that a host has
    ever offered.
    """

    server: Mapping[str, Any]
    keys: int
    memory: Mapping[str, float]
    counters: Counters
    standing: Sequence[tuple[str, str, int]]
    refused: Mapping[str, int]
    sweeps_at: Mapping[str, float]
    canaries_at: Mapping[tuple[str, str], float]
    waiting: Mapping[str, tuple[int, float]]
    held: int
    retries: int
    oldest: Mapping[str, float]
    due: Mapping[str, tuple[int, float]]
    hosts: Sequence[HostGauge]
    removed: Sequence[str]
    flavors: frozenset[str]


class Meter:
    """Reads one site."""

    def __init__(self, url: str, *, namespace: str, ca_file: Path | None = None) -> None:
        """Does not connect yet. ca_file: as of redis_at. Raises InvalidInput if the URL is not one of Redis."""
        self._redis = redis_asked_once(url, ca_file, ANSWER_SECONDS)
        self._key = Keys(namespace)
        self._run = Scripts(self._redis, self._key.root, {}, None)
        self._scales = Scales(namespace)

    def close(self) -> None:
        """Closes its connections."""
        self._redis.close()

    def read(self, flavors: Collection[str]) -> Readings:
        """Everything. flavors: of the site's catalogue. Raises StoreUnavailable."""
        key, pipe = self._key, self._redis.pipeline(transaction=False)
        pipe.info()
        pipe.dbsize()
        for name in ("counters", "standing", "refused", "sweeps", "canary"):
            pipe.hgetall(key(name))
        pipe.zrange(key("hosts"), 0, -1)
        pipe.hkeys(key("removed"))
        pipe.smembers(key("flavors"))
        with answering():
            server, keys, counters, standing, refused, sweeps, canaries, hosts, removed, offered = pipe.execute()
            self._scales.step(self._redis)
        gauges = self._run("gauges", {"flavors": sorted({*flavors, *offered})})
        return Readings(
            server=server,
            keys=keys,
            memory=self._scales.told(keys),
            counters=read_counters(counters),
            standing=list(read_standing(standing)),
            refused=whole_numbers(refused),
            # A sweep's own notes stand beside it, as "sweep.note".
            sweeps_at={name: at / 1000 for name, at in whole_numbers(sweeps).items() if "." not in name},
            canaries_at={_process(name): at / 1000 for name, at in whole_numbers(canaries).items()},
            waiting=_pairs(gauges["waiting"]),
            held=gauges["held"],
            retries=gauges["retries"],
            oldest={state: ms / 1000 for state, ms in gauges["oldest"].items()},
            due=_pairs(gauges["due"]),
            hosts=self._hosts(sorted(hosts)),
            removed=removed,
            flavors=frozenset(offered),
        )

    def _hosts(self, names: Sequence[str]) -> list[HostGauge]:
        return [
            _host(row)
            for first in range(0, len(names), HOSTS_AT_ONCE)
            for row in self._run("host_gauges", {"hosts": names[first : first + HOSTS_AT_ONCE]})
        ]


def _host(row: dict[str, Any]) -> HostGauge:
    state = host_state(
        lost=row["lost"], alive=row["alive"], fit=row["fit"], cordoned=row["cordoned"], drained=row["drained"],
        busy=bool(row["jobs"]),
    )  # fmt: skip
    units = {flavor: UnitGauge(*counted) for flavor, counted in dict(row["units"]).items()}
    disk = (row["disk_free"], row["disk_size"]) if row.keys() >= {"disk_free", "disk_size"} else None
    return HostGauge(row["host"], state, max(0, row["seen_ms_ago"]) / 1000, row["jobs"], units, disk)


def _process(name: str) -> tuple[str, str]:
    role, _, own = name.partition("/")
    return role, own


def _pairs(told: dict[str, list[int]]) -> dict[str, tuple[int, float]]:
    return {name: (number, ms / 1000) for name, (number, ms) in told.items()}
