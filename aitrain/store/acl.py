"""The users of a site's Redis, as lines of an ACL file: each role may what its processes do, and nothing else.

Which keys a role reads and writes stands in the legend (legend.py), and for Celery's keys here. Redis holds to it
inside a script, too: a script runs with its caller's rights. A key that a role may only delete gets a selector of its
own.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum

from aitrain.store.keys import Keys
from aitrain.store.legend import LEGEND

RIGHTS = re.compile("r?w?d?")


class Role(StrEnum):
    """What a process of a site is. ADMIN is for people in an emergency, and no process has it."""

    PRODUCER = "producer"
    OPERATOR = "operator"
    CONTROL = "control"
    HOST = "host"
    FLOWER = "flower"
    METRICS = "metrics"
    ADMIN = "admin"


# Beside the roles: the host whose name stands in the key.
OWN = "own"
HOST_PART = "{host}"
PART = re.compile(r"\{\w+\}")

# Celery's keys in the broker, behind the namespace, as kombu makes them. A table of bindings says which queues an
# exchange feeds. aitrain sends to queues by name, so only answers of workers go by one.
BROKER_KEYS: Mapping[str, str] = {
    "control": "producer:w control:rw host:w flower:r metrics:r",
    "gpu.*.{host}": "producer:w control:rw own:rw flower:r metrics:r",
    "cpu.*.{host}": "producer:w control:rw own:rw flower:r metrics:r",
    "unrouted": "operator:r control:r flower:r metrics:r",
    "_kombu.binding.*": "producer:rw control:rw host:rw flower:rw",
    "_kombu.binding_permanent.*": "producer:w control:w host:w flower:w",
    "_kombu.binding_deadlines": "operator:rw control:rw host:rw flower:rw",
    # What a worker has taken and not yet acknowledged: for moments, since it acknowledges before it begins.
    # Whoever waits for answers of workers looks there, too; nothing of theirs is ever acknowledged late.
    **dict.fromkeys(("unacked", "unacked_index", "unacked_mutex"), "operator:rw flower:rw"),
    "unacked*.control": "control:rw",
    "unacked*.host.{host}": "own:rw",
    # Never a list, since it is a channel's; but declared, measured and deleted like one.
    "control@*.celery.pidbox": "control:w",
    "{host}@*.celery.pidbox": "own:w",
    "celeryev.*": "flower:w",
    "*.reply.celery.pidbox": "operator:rw control:w host:w flower:rw",
}
# Celery's channels, of database 0: questions to workers (pidbox), and what workers tell of themselves (celeryev).
# Whoever subscribes to a pattern has to name it letter by letter.
ASKING, EVENTS = "/0.celery.pidbox", "/0.celeryev/*"
PUBLISH, LISTEN = "+publish", "+subscribe +psubscribe +unsubscribe +punsubscribe"

# Who asks all workers something, who hears it, who tells, and who hears that.
CHANNELS: Mapping[Role, tuple[tuple[str, str], ...]] = {
    Role.PRODUCER: ((EVENTS, PUBLISH),),
    Role.OPERATOR: ((EVENTS, PUBLISH), (ASKING, PUBLISH)),
    Role.CONTROL: ((EVENTS, PUBLISH), (ASKING, LISTEN)),
    Role.HOST: ((EVENTS, PUBLISH), (ASKING, LISTEN)),
    Role.FLOWER: ((EVENTS, LISTEN), (ASKING, PUBLISH)),
}

# Of a connection. CLIENT for the names that libraries give themselves, without what touches others' connections.
CONNECTION = (
    "+ping +select +quit +echo +hello +auth +reset +time +info +command +client -client|kill -client|list "
    "-client|pause -client|unpause -client|no-evict -client|reply -client|tracking -client|unblock "
    "+multi +exec +discard +watch +unwatch"
)
# What the store, its scripts and kombu use.
READS = (
    "+get +exists +type +ttl +pttl +hget +hgetall +hmget +hexists +hkeys +hvals +hlen +hscan +lrange +lindex +llen "
    "+scard +sismember +smembers +sscan +zrange +zrangebyscore +zrevrange +zrevrangebyscore +zrangebylex "
    "+zcard +zcount +zscore +zmscore +zrank +zscan +xread +xrange +xlen +strlen"
)
WRITES = (
    "+set +append +del +unlink +expire +pexpire +persist +incr +incrby +hset +hsetnx +hdel +hincrby +lpush +rpush "
    "+lpop +rpop +blpop +brpop +lrem +ltrim +sadd +srem +zadd +zincrby +zrem +zremrangebyscore +xadd +xtrim"
)
SCRIPTS = "+eval +evalsha +script|load +script|exists"
# The exporter weighs keys of all kinds: it learns their names and sizes, and not what they hold.
WEIGHING = "+memory|usage +dbsize +scan"
COMMANDS: Mapping[Role, str] = {
    Role.PRODUCER: f"{CONNECTION} {READS} {WRITES} {SCRIPTS}",
    Role.OPERATOR: f"{CONNECTION} {READS} {WRITES} {SCRIPTS}",
    Role.CONTROL: f"{CONNECTION} {READS} {WRITES} {SCRIPTS}",
    Role.HOST: f"{CONNECTION} {READS} {WRITES} {SCRIPTS}",
    Role.FLOWER: f"{CONNECTION} {READS} {WRITES} {SCRIPTS}",
    Role.METRICS: f"{CONNECTION} {READS} {SCRIPTS} +dbsize +scan",
}


# Nobody is let in as the user `default`, since it is off. But Redis reads its append-only file as that user, and skips
# every transaction in it that holds a command which the user may not run: a restart would forget all jobs.
NOBODY = "user default off resetpass ~* &* +@all"


@dataclass(frozen=True)
class User:
    """A user of Redis. name: that it logs in with; host: of role HOST, its name."""

    name: str
    role: Role
    password: str
    host: str = ""

    def __repr__(self) -> str:
        return f"User({self.name!r}, {self.role})"


def user_of(role: Role, password: str, host: str = "") -> User:
    """The user of a role, or of one host."""
    return User(f"{Role.HOST}-{host}" if role is Role.HOST else str(role), role, password, host)


def granted(roles: str) -> dict[str, str]:
    """Who may what, from the legend's words: {"producer": "rw", "own": "d"}. Raises ValueError for what is none."""
    known, found = {*Role, OWN} - {Role.ADMIN}, {}
    for word in roles.split():
        name, _, rights = word.partition(":")
        if name not in known or name in found or not rights or not RIGHTS.fullmatch(rights):
            raise ValueError(f"{word!r} is no grant: write a role, a colon, and of r, w, d what it may, in this order")
        found[name] = rights
    return found


def key_grants(user: User, namespace: str) -> Iterator[tuple[str, str]]:
    """(pattern of Redis, rights) of every key that a user may touch."""
    root = Keys(namespace).root
    if user.role is not Role.FLOWER:  # every script is given the root as its key
        yield root, "rw"
    for key in LEGEND.values():
        yield from _grants(user, root, key.pattern, key.roles)
    for pattern, roles in BROKER_KEYS.items():
        yield from _grants(user, f"{namespace}:", pattern, roles)


def acl_line(user: User, namespace: str) -> str:
    """The line of a user in an ACL file. The password stands in it as its SHA-256 only."""
    head = f"user {user.name} on #{hashlib.sha256(user.password.encode()).hexdigest()} sanitize-payload"
    if user.role is Role.ADMIN:
        return f"{head} ~* &* +@all"
    marks = {"r": "%R~", "w": "%W~", "rw": "~"}
    keys, selectors = [], []
    for pattern, rights in key_grants(user, namespace):
        kept = rights.replace("d", "")
        if kept:
            keys.append(marks[kept] + pattern)
        if "d" in rights and "w" not in rights:
            selectors.append(f"(+del +unlink %W~{pattern})")
    if user.role is Role.METRICS:
        selectors.append(f"({WEIGHING} %W~{Keys(namespace).root}* %W~{namespace}:*)")
    selectors += [f"({commands} &{namespace}:{channel})" for channel, commands in CHANNELS.get(user.role, ())]
    return " ".join([head, "resetchannels", *sorted(keys), "-@all", COMMANDS[user.role], *selectors])


def acl_file(users: Iterable[User], namespace: str) -> str:
    """An ACL file: nobody gets in without a name."""
    return "\n".join([NOBODY, *(acl_line(user, namespace) for user in users), ""])


def _grants(user: User, root: str, pattern: str, roles: str) -> Iterator[tuple[str, str]]:
    """What one key's words grant a user."""
    words = granted(roles)
    rights = set(words.get(user.role, ""))
    if user.role is Role.OPERATOR:
        rights |= set(words.get(Role.PRODUCER, ""))
    if rights:
        yield root + PART.sub("*", pattern), "".join(right for right in "rwd" if right in rights)
    if user.role is Role.HOST and OWN in words:
        yield root + PART.sub("*", pattern.replace(HOST_PART, user.host)), words[OWN]
