"""The transport of workers, over a real Redis."""

from __future__ import annotations

import json
import os
import subprocess
import sys

from redis import Redis

from aitrain.broker import CHECK_REGISTRY, CONTROL_QUEUE, Broker, host_queue
from aitrain.domain.flavor import Kind
from aitrain.domain.states import Step
from aitrain.settings import Settings
from aitrain.store.connection import fence, token
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


# In a process of its own, too: there is one app of the fleet in a process.
ADMIT = """
import json, sys
from redis import Redis
from workers.app import app
from workers.door import admit
app.loader.import_default_modules()
redis = Redis.from_url(sys.argv[1])
for name, each in app.conf.beat_schedule.items():
    app.signature(each["task"], **each["options"]).apply_async()
for queue in sys.argv[2:]:
    for sent in redis.lrange(f"{app.conf.broker_transport_options['global_keyprefix']}{queue}", 0, -1):
        print(admit(json.loads(sent), queue, app.tasks.keys())["headers"]["task"])
"""


def test_all_that_aitrain_sends_is_taken(redis: RedisServer, namespace: str) -> None:
    broker, project = Broker(Settings(redis_url=redis.url, namespace=namespace)), "p" * 63
    queue = host_queue(Kind.GPU, "v100s", "gpu-01.rack-2.example")
    for step in Step:
        broker.send_step(step, "0198-ab", fence(12345), queue, project)
    broker.send_copy("0198-ab", fence(1), token(), queue, project)
    broker.send_check(token(), project, datastore="s3")
    broker.send_check(token(), project, CHECK_REGISTRY, registry="registry.example:5000/team")
    broker.send_chunk(token(), "0198-ab", project)
    broker.send_placement()
    broker.send_delivery("0198-ab", fence(2), project)
    for one in (queue, CONTROL_QUEUE):
        broker.send_canary(one, 120)
    environment = {**os.environ, "AITRAIN_REDIS_URL": redis.url, "AITRAIN_NAMESPACE": namespace}
    done = subprocess.run(
        [sys.executable, "-c", ADMIT, redis.url, queue, CONTROL_QUEUE],
        capture_output=True, text=True, check=False, env=environment,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    taken = done.stdout.split()
    assert len(taken) == 5 + 1 + 5 + 1 + 10, "steps, a copy, requests, a canary each, and sweeps"
