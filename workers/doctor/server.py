"""Judges the Redis of the job store, and that of the broker if it is another one."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from urllib.parse import urlsplit

from aitrain.store.inspection import ServerFacts
from workers.doctor.clocks import clock
from workers.doctor.finding import Finding, fail, ok, size, warn

OLDEST = (6, 2)
# A host's heartbeat, a step's moves and a submission are some calls one after the other; beyond this people notice.
SLOW_SECONDS = 0.1
# Time to add memory or to find out who fills it, before the server refuses writes.
MEMORY_WARN_SHARE, MEMORY_FAIL_SHARE = 0.7, 0.95
# What servers and the client library say of a wrong user, a wrong password, and too few rights.
REFUSALS = ("uthentication required", "username-password", "AUTH", "WRONGPASS", "no permissions", "NOPERM")


@dataclass(frozen=True)
class Server:
    """Which server is judged: "store" or "broker", and the setting that names it."""

    part: str
    setting: str

    @property
    def is_store(self) -> bool:
        """It holds the truth, and not only hints that are sent again when they are lost."""
        return self.part == "store"


STORE, BROKER = Server("store", "redis_url"), Server("broker", "broker_url")


def judge(server: Server, facts: ServerFacts) -> list[Finding]:
    """Every check of one server."""
    return [
        reachable(server, facts), version(server, facts), role(server, facts), persistence(server, facts),
        eviction(server, facts), memory(server, facts),
        clock(f"{server.part}.clock", facts.ahead_s, facts.round_trip_s / 2),
    ]  # fmt: skip


def unreachable(server: Server, complaint: str) -> Finding:
    """It did not answer, or refused to."""
    if any(words in complaint for words in REFUSALS):
        remedy = (
            f"correct user and password in {server.setting}, and allow that user all keys and all but the dangerous "
            "commands (INFO is also needed): ACL SETUSER NAME ~* &* +@all -@dangerous +info"
        )
    elif "loading" in complaint:
        remedy = "wait until it has read its file, and run this again"
    else:
        remedy = f"start Redis 6.2 or newer, correct {server.setting}, and open its port to this machine"
    return fail(f"{server.part}.reachable", complaint, remedy)


def reachable(server: Server, facts: ServerFacts) -> Finding:
    """How long an answer takes."""
    check, found = f"{server.part}.reachable", f"answers in {facts.round_trip_s * 1000:.1f} ms"
    if facts.round_trip_s > SLOW_SECONDS:
        return warn(check, found, "bring Redis and the hosts nearer together, and look at its load and SLOWLOG")
    return ok(check, found)


def version(server: Server, facts: ServerFacts) -> Finding:
    """Scripts and the client library need 6.2."""
    check = f"{server.part}.version"
    numbers = tuple(int(part) for part in facts.version.split(".")[:2] if part.isdigit())
    if numbers >= OLDEST:
        return ok(check, facts.version)
    return fail(check, facts.version or "not told", "install Redis 6.2 or newer, or a Valkey")


def role(server: Server, facts: ServerFacts) -> Finding:
    """It takes writes, and all keys lie on it."""
    check = f"{server.part}.role"
    if facts.cluster:
        return fail(check, "a node of a cluster", "use a single server (with replicas if you like): Celery needs one")
    if facts.role != "master":
        return fail(
            check, f"{facts.role}: takes no writes", f"name the master in {server.setting} (see INFO replication)"
        )
    return ok(check, "master")


def persistence(server: Server, facts: ServerFacts) -> Finding:
    """What a crash of the server would cost."""
    check = f"{server.part}.aof"
    keep = "CONFIG SET appendonly yes, and `appendonly yes` in redis.conf so that it stays"
    if not facts.append_ok or not facts.snapshot_ok:
        what = "append-only file" if not facts.append_ok else "snapshot"
        return fail(
            check, f"its last write of the {what} failed: it refuses commands that write",
            "make room on its disk and look into its log",
        )  # fmt: skip
    if not facts.append_only and server.is_store:
        return fail(check, "off: a restart loses every job since the last snapshot", keep)
    if not facts.append_only:
        return warn(check, "off: a restart loses messages, which are sent again seconds later", keep)
    if facts.fsync == "no":
        return warn(
            check, "on, with appendfsync no: a crash of the machine may lose half a minute",
            "CONFIG SET appendfsync everysec, and the same in redis.conf",
        )  # fmt: skip
    if not facts.rewrite_ok:
        return warn(
            check, "on, but its last rewrite failed: the file grows",
            "give it memory for a fork (vm.overcommit_memory = 1) and room on its disk; look into its log",
        )  # fmt: skip
    return ok(check, f"on, appendfsync {facts.fsync or 'not told (CONFIG may not be read)'}")


def eviction(server: Server, facts: ServerFacts) -> Finding:
    """A full server must refuse, and not forget jobs."""
    check = f"{server.part}.eviction"
    if facts.policy == "noeviction":
        return ok(check, facts.policy)
    remedy = "CONFIG SET maxmemory-policy noeviction, and the same in redis.conf"
    if not facts.max_memory:
        return warn(check, f"{facts.policy}: it would forget keys as soon as maxmemory is set", remedy)
    if server.is_store:
        return fail(check, f"{facts.policy}: it forgets jobs when it is full", remedy)
    return warn(check, f"{facts.policy}: it drops messages when it is full; they are sent again", remedy)


def memory(server: Server, facts: ServerFacts) -> Finding:
    """How near it is to refusing writes."""
    check = f"{server.part}.memory"
    limit = facts.max_memory or facts.machine_memory
    of = "maxmemory" if facts.max_memory else "the machine's memory"
    if not limit:
        return ok(check, f"{size(facts.used_memory)} used")
    share = facts.used_memory / limit
    found = f"{size(facts.used_memory)} used, {share:.0%} of {of} ({size(limit)})"
    remedy = f"raise {of}, and find out what fills it: redis-cli --bigkeys"
    if share > MEMORY_FAIL_SHARE:
        return fail(check, found, remedy)
    return warn(check, found, remedy) if share > MEMORY_WARN_SHARE else ok(check, found)


def access(server: Server, url: str) -> Finding:
    """Who may write to it may run anything on the hosts, as root."""
    check = f"{server.part}.access"
    parts = urlsplit(url)
    if _on_this_machine(parts.scheme, parts.hostname):
        return ok(check, "on this machine")
    password, tls = bool(parts.password), parts.scheme == "rediss"
    found = f"{'a' if password else 'no'} password, {'' if tls else 'no '}TLS"
    if password or tls:
        return ok(check, found)
    return warn(
        check, f"{found}: whoever reaches it can run anything on every host",
        f"set a password (requirepass, or an ACL user) and put it in {server.setting}: redis://user:password@host; "
        "let only the site's machines reach its port",
    )  # fmt: skip


def _on_this_machine(scheme: str, host: str | None) -> bool:
    if scheme == "unix" or host in (None, "", "localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
