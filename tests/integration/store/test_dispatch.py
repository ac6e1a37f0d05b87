"""Many passes at once: every job is placed once, its message sent once, and no unit stays free while a job waits."""

from __future__ import annotations

import threading
import uuid

from aitrain.broker import CONTROL_QUEUE, Broker
from aitrain.dispatch import Dispatcher
from aitrain.domain.admission import Site, admit
from aitrain.domain.flavor import BUILT_IN
from aitrain.domain.spec import JobSpec
from aitrain.domain.states import State
from aitrain.settings import load_settings
from aitrain.store import HostTiming, Store, Wanted
from workers.scratch.servers import RedisServer

SITE = Site(BUILT_IN, {"s3"}, 100, 1000)


class Messages(Broker):
    """Notes what would be sent."""

    sent: list[str]

    def send_chain(self, job_id: str, fence: str, queue: str, project: str = "") -> None:
        self.sent.append(job_id)


def test_many_passes_at_once(redis: RedisServer, namespace: str) -> None:
    settings = load_settings(redis_url=redis.url, namespace=namespace)
    store, broker = Store(redis.url, namespace=namespace), Messages(settings)
    broker.sent = []
    for number in range(200):
        spec = JobSpec.of(image="x", project=f"p{number % 7}", resources={"cpu": number % 3 + 1})
        store.submit(str(uuid.uuid4()), admit(spec, SITE))

    def a_host_joins(number: int) -> None:
        host = f"h{number}"
        units = {"cpu": [str(unit) for unit in range(8)]}
        store.join_host(host, instance=host, units=units, max_jobs=99, timing=HostTiming(10**6, 10**7))
        Dispatcher(settings, store, broker).place_waiting()

    threads = [threading.Thread(target=a_host_joins, args=(number,)) for number in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    placed = [job.id for job in store.iter_jobs(Wanted(states=[State.INITIALIZING]))]
    assert sorted(broker.sent) == sorted(placed)
    assert sum(job.units for job in store.get_many(placed)) == 160, "20 hosts of 8 units are full"
    store.close()


def test_a_host_that_may_not_place_asks_control_workers(redis: RedisServer, namespace: str, store: Store) -> None:
    """It sends them a message, and commits nothing itself."""
    settings = load_settings(redis_url=redis.url, namespace=namespace, host={"places_jobs": False})
    broker = Broker(settings)

    assert Dispatcher(settings, store, broker).place_waiting() == 0

    assert broker.lengths([CONTROL_QUEUE]) == {CONTROL_QUEUE: 1}
