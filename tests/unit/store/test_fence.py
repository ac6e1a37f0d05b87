"""Whoever writes to the job store does it through a script: there the schema is compared."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import aitrain.store
from aitrain.store.scripts import prelude

READS = {
    "blpop", "close", "config_get", "dbsize", "eval", "exists", "get", "hexists", "hget", "hgetall", "hkeys",
    "hmget", "hscan", "info", "lrange", "memory_usage", "pipeline", "register_script", "scan", "scard", "smembers",
    "time", "xread", "zcard", "zmscore", "zrange", "zrangebylex", "zrangebyscore", "zrevrangebyscore", "zscan",
}  # fmt: skip
FILES = sorted(Path(aitrain.store.__file__).parent.glob("*.py"))
CALL = re.compile(r"\b(?:_redis|pipe)\s*\.\s*([a-z_]+)\b")


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_plain_commands_only_read(file: Path) -> None:
    """What writes is a verb of its own in lua/, or a few commands by Connection._change."""
    called = set(CALL.findall(file.read_text())) - {"execute", "connection_pool"}
    assert called <= READS


def test_the_schema_is_compared_before_anything_else_is_done() -> None:
    text = prelude()
    first = text.index("redis.call(", text.index("local ARG"))
    assert text[first:].startswith("redis.call('GET', K.schema())")
