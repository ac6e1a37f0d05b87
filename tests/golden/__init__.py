"""Stores as earlier versions left them, key by key, and what writes and reads such files.

`store-1.json` was made by the version before stores had a stamp, and is never made again: it is what that one wrote.
When the schema moves on, `python -m tests.golden FILE` keeps a store of the version of today, before the change.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from redis import Redis

HERE = Path(__file__).parent
NAMESPACE = "golden"


def _root(namespace: str) -> str:
    return "{" + namespace + "}:"


Dump = dict[str, dict[str, Any]]


def dump(redis: Redis, namespace: str = NAMESPACE) -> Dump:
    """Every key of the namespace: its type and what it holds, in an order that does not change."""
    readers: dict[str, Any] = {
        "string": redis.get,
        "hash": lambda key: dict(sorted(redis.hgetall(key).items())),  # type: ignore[union-attr]
        "list": lambda key: redis.lrange(key, 0, -1),
        "set": lambda key: sorted(redis.smembers(key)),  # type: ignore[type-var]
        "zset": lambda key: redis.zrange(key, 0, -1, withscores=True),
        "stream": lambda key: [fields for _, fields in redis.xrange(key)],  # type: ignore[union-attr]
    }
    root = _root(namespace)
    names = sorted(str(key) for key in redis.scan_iter() if str(key).startswith(root))  # type: ignore[union-attr]
    kinds = {name: str(redis.type(name)) for name in names}
    return {name.removeprefix(root): {kinds[name]: readers[kinds[name]](name)} for name in names}


def fill(redis: Redis, held: Dump, namespace: str) -> None:
    """Writes what a file keeps under a namespace."""
    for name, entry in held.items():
        key, (kind, value) = _root(namespace) + name, next(iter(entry.items()))
        match kind:
            case "string":
                redis.set(key, value)
            case "hash":
                redis.hset(key, mapping=value)
            case "list":
                redis.rpush(key, *value)
            case "set":
                redis.sadd(key, *value)
            case "zset":
                redis.zadd(key, dict(value))
            case "stream":
                for fields in value:
                    redis.xadd(key, fields)


def kept(name: str) -> Dump:
    """A file of this directory."""
    held: Dump = json.loads((HERE / name).read_text())
    return held
