"""Puts a watch over the processes that are Celery's, by its signals."""

from __future__ import annotations

import socket
from typing import Any

from celery.signals import (
    after_task_publish,
    beat_init,
    celeryd_after_setup,
    task_postrun,
    task_prerun,
    worker_ready,
    worker_shutting_down,
)

from aitrain.broker import CONTROL_QUEUE
from aitrain.domain.health import Role
from workers.beating import BeatWatch
from workers.canary import CanaryWatch
from workers.machine import Machine
from workers.notify import READY, notify


def watch_over(machine: Machine) -> None:
    """Has this process be watched, whichever of Celery's it is."""
    # Signals would drop these functions if they did not hold them: hence weak=False.
    settings = machine.settings

    def worker(instance: Any, **_: Any) -> None:
        queues = list(instance.app.amqp.queues.consume_from)
        control = CONTROL_QUEUE in queues
        watch = CanaryWatch(
            machine.store, settings.timing,
            Role.CONTROL if control else Role.WORKER, socket.gethostname() if control else settings.host.name,
            broker=machine.broker, queues=queues, slots=instance.concurrency,
        )  # fmt: skip

        def ready(**_: Any) -> None:
            watch.start()
            notify(READY)

        task_prerun.connect(lambda **_: watch.took(), weak=False)
        task_postrun.connect(lambda **_: watch.finished(), weak=False)
        worker_ready.connect(ready, weak=False)
        worker_shutting_down.connect(lambda **_: watch.stop(), weak=False)

    def beat(**_: Any) -> None:
        watch = BeatWatch(machine.store, settings.timing, socket.gethostname(), machine.broker)
        after_task_publish.connect(lambda **_: watch.sent(), weak=False)
        watch.start()
        notify(READY)

    celeryd_after_setup.connect(worker, weak=False)
    beat_init.connect(beat, weak=False)
