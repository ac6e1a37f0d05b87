"""The transport of workers, over a real Redis."""

from __future__ import annotations

import json
import subprocess
import sys

from redis import Redis

from tests.forging import message
from workers.scratch.servers import RedisServer

# In a process of its own: the transport is kombu's for all of a process.
LOOK = """
import sys
from kombu import Connection
from workers import transport
transport.use()
with Connection(sys.argv[1], transport_options={"global_keyprefix": "u:", "visibility_timeout": 1}) as connection:
    channel = connection.default_channel
    assert type(channel) is transport.Channel
    channel.qos.restore_visible(num=10)
    print(sum(transport.door.refusals._untold.values()))
"""


def test_junk_among_what_was_not_acknowledged_is_dropped_once_and_for_all(redis: RedisServer) -> None:
    """Whichever worker looks puts back what others took and did not acknowledge; junk there would end each of them."""
    broker = Redis.from_url(redis.url)
    good = json.dumps([message(), "", "control"]).encode()
    held = {"a": b"{nope", "b": b"5", "c": b"[1]", "d": b"[" * 50_000, "good": good}
    broker.hset("u:unacked", mapping=held)
    broker.zadd("u:unacked_index", dict.fromkeys(held, 1))
    done = subprocess.run([sys.executable, "-c", LOOK, redis.url], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "4"
    assert broker.zcard("u:unacked_index") == broker.hlen("u:unacked") == 0
    assert [key for key in broker.keys("u:*") if key.endswith(b"control")] == [b"u:control"]
    broker.delete("u:control")
