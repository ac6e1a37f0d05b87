"""What the job store's server and its keys say of a site's health. Reads only.

Apart from the store, because whoever diagnoses wants an answer at once: nothing is tried a second time here.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from redis.exceptions import ResponseError

from aitrain.store.connection import redis_asked_once
from aitrain.store.keys import Keys
from aitrain.store.schema import MARKS
from aitrain.store.scripts import answering

ANSWER_SECONDS = 3.0
# The quickest of so many answers says most about the way and the clock; the first one also pays for the connection.
CLOCK_SAMPLES = 4
# The clock is asked for by a script on a key of the site, because the store does all its writing so: a user who may not
# do that is found out.
CLOCK_SCRIPT = "return redis.call('TIME')"


@dataclass(frozen=True)
class ServerFacts:
    """A Redis server as it describes itself. Sizes in bytes, times in seconds.

    fsync: when it writes its append-only file to disk, None if it does not let itself be asked; *_ok: its last try
    succeeded; max_memory: 0 for no limit; ahead_s: its clock minus this machine's, true to half a round trip.
    """

    run_id: str
    version: str
    role: str
    cluster: bool
    append_only: bool
    fsync: str | None
    append_ok: bool
    rewrite_ok: bool
    snapshot_ok: bool
    policy: str
    max_memory: int
    used_memory: int
    machine_memory: int
    round_trip_s: float
    ahead_s: float


@dataclass(frozen=True)
class SiteFacts:
    """What the keys of a site say. Times: Unix ms.

    now_ms: by the server's clock; sweeps: when each succeeded last, by its worker's clock; live_hosts: names of hosts
    whose lease holds, away_hosts of the others; holder: which machine holds the lease of the host that was asked for,
    "" if none does; stamp: which schema it has, as aitrain.domain.schema reads it, None if nothing is there.
    """

    now_ms: int
    sweeps: Mapping[str, int]
    live_hosts: tuple[str, ...]
    holder: str
    away_hosts: tuple[str, ...] = ()
    stamp: str | None = None


class Inspection:
    """Looks at one Redis. Every method raises StoreUnavailable if it does not answer, or refuses to."""

    def __init__(self, url: str, *, namespace: str, ca_file: Path | None = None) -> None:
        """ca_file: see redis_at. Does not connect yet. Raises InvalidInput if the URL is not one of Redis."""
        self._redis = redis_asked_once(url, ca_file, ANSWER_SECONDS)
        self._key = Keys(namespace)

    def close(self) -> None:
        """Closes its connections."""
        self._redis.close()

    def server(self) -> ServerFacts:
        """What the server says of itself."""
        with answering():
            round_trip_s, ahead_s = self._clock()
            info: dict[str, Any] = self._redis.info()
        return ServerFacts(
            run_id=str(info.get("run_id", "")),
            version=str(info.get("redis_version", "")),
            role=str(info.get("role", "")),
            cluster=bool(info.get("cluster_enabled")),
            append_only=bool(info.get("aof_enabled")),
            fsync=self._fsync(),
            append_ok=info.get("aof_last_write_status", "ok") == "ok",
            rewrite_ok=info.get("aof_last_bgrewrite_status", "ok") == "ok",
            snapshot_ok=info.get("rdb_last_bgsave_status", "ok") == "ok",
            policy=str(info.get("maxmemory_policy", "")),
            max_memory=int(info.get("maxmemory", 0)),
            used_memory=int(info.get("used_memory", 0)),
            machine_memory=int(info.get("total_system_memory", 0)),
            round_trip_s=round_trip_s,
            ahead_s=ahead_s,
        )

    def site(self, host: str) -> SiteFacts:
        """What the keys of the site say. host: the one whose lease is looked at."""
        key = self._key
        with answering():
            now_ms = int(1000 * self._time())
            stamp: Any = self._redis.get(key("schema"))
            if stamp is None and self._redis.exists(*map(key, MARKS)):
                stamp = ""
            sweeps: Any = self._redis.hgetall(key("sweeps"))
            live: Any = self._redis.zrangebyscore(key("hosts"), f"({now_ms}", "+inf")
            away: Any = self._redis.zrangebyscore(key("hosts"), "-inf", now_ms)
            instance = self._redis.hget(key("host", host), "instance") if host in live else None
        return SiteFacts(
            now_ms, {name: int(at) for name, at in sweeps.items()}, tuple(live), str(instance or ""), tuple(away), stamp
        )

    def sealing(self) -> tuple[dict[str, int], tuple[str, ...] | None]:
        """How many secrets each key has sealed, by its id; and the keys that control workers told, None if none did."""
        key = self._key
        with answering():
            sealing: Any = self._redis.smembers(key("sealing_keys"))
            counts: Any = {one: self._redis.scard(key("sealed_by", one)) for one in sorted(sealing)}
            ids: Any = self._redis.hget(key("public_key"), "ids")
        return {one: int(count) for one, count in counts.items() if count}, tuple(json.loads(ids)) if ids else None

    def _clock(self) -> tuple[float, float]:
        samples = []
        for _ in range(CLOCK_SAMPLES):
            sent, began = time.time(), time.perf_counter()
            theirs = self._time()
            taken = time.perf_counter() - began
            samples.append((taken, theirs - (sent + taken / 2)))
        return min(samples)

    def _time(self) -> float:
        seconds, micros = self._redis.eval(CLOCK_SCRIPT, 1, self._key.root)
        return int(seconds) + int(micros) / 1e6

    def _fsync(self) -> str | None:
        with answering():
            try:
                answer: Any = self._redis.config_get("appendfsync")
            except ResponseError:  # hosted servers, and users with few rights, do without CONFIG
                return None
        return str(answer.get("appendfsync", "")) or None
