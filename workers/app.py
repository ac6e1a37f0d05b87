"""The Celery app of the fleet: `celery -A workers.app worker`. Hosts run steps, control workers the rest."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import suppress
from functools import cache
from typing import Any

from celery.signals import celeryd_after_setup, celeryd_init, worker_init, worker_shutting_down

from aitrain.broker import CANARY_TASK, CONTROL_QUEUE, COPY_TASK, celery_app, task_name
from aitrain.domain.errors import AitrainError
from aitrain.domain.states import Step
from workers import clock, transport
from workers.agent.fencing import Fence
from workers.agent.pulse import Pulse
from workers.copying import Copies
from workers.machine import Machine
from workers.patience import Patience
from workers.resealing import tell_keys
from workers.step import Run, Steps
from workers.stopping import stop_gently
from workers.tariff import tell_billing
from workers.unacknowledged import own_unacknowledged
from workers.watching import watch_over
from workers.worker_info import about_this_worker

machine = Machine()
patience = Patience()
app = celery_app(machine.settings)
app.steps["worker"].add(about_this_worker(machine))
watch_over(machine)
transport.use()


@cache
def _steps() -> Steps:
    return Steps(machine)


@cache
def _copies() -> Copies:
    return Copies(machine)


@celeryd_init.connect
def _before_it_connects(conf: Any, options: Any, **_: Any) -> None:
    is_control = CONTROL_QUEUE in str(options.get("queues", ""))
    own_unacknowledged(conf, "control" if is_control else f"host.{machine.settings.host.name}")


@worker_init.connect
def _ready_before_the_first_message(**_: Any) -> None:
    _steps()
    _copies()


@celeryd_after_setup.connect
def _begin(instance: Any, **_: Any) -> None:
    """A control worker tells the store what billing and receipts need, before the first job runs if it can.

    Should the agent be dead, a host's worker still keeps it from running what runs elsewhere by then.
    """
    queues = instance.app.amqp.queues.consume_from
    transport.door.stand_before(set(queues), app.tasks.keys, machine.store.note_refused)
    if CONTROL_QUEUE in queues:
        with suppress(AitrainError):  # the sweeps tell it again
            tell_billing(machine)
            tell_keys(machine)
            if machine.signer is not None:
                machine.store.signing()
    else:
        with suppress(AitrainError):  # only shown
            machine.store.tell_version(machine.settings.host.name, "worker", machine.version)
        pulse = Pulse(machine.settings.host.data_dir)
        Fence(machine, threading.Event(), pulse, may_look=_agent_has_had_its_time(clock.elapsed())).start()


@worker_shutting_down.connect
def _stop(**_: Any) -> None:
    stop_gently(machine.settings.timing.worker_stop_seconds, lambda why: _steps().give_up(why) + _copies().give_up(why))


def _agent_has_had_its_time(began: float) -> Callable[[], bool]:
    """Whether the worker may fence: the agent, which may start beside it, was given time, and the lease has lapsed."""
    timing, host = machine.settings.timing, machine.settings.host

    def may_look() -> bool:
        if clock.elapsed() - began < min(timing.host_lease_seconds, timing.host_lost_margin_seconds / 2):
            return False
        try:
            # Also for the case that the pulse cannot be written to the disk.
            return not machine.store.host_is_alive(host.name, machine.instance)
        except AitrainError:
            return True

    return may_look


def step(link: Step) -> Callable[[Callable[[Run], None]], Callable[[Run], None]]:
    """Makes a function the work of a step."""

    def register(work: Callable[[Run], None]) -> Callable[[Run], None]:
        @app.task(name=task_name(link), bind=True)
        def task(self: Any, job_id: str, fence: str) -> str:
            goes_on, word = _steps().run(link, work, job_id, fence)
            if not goes_on:
                # Returning normally with the rest dropped: Flower shows the step finished, and nothing follows.
                self.request.chain = None
                self.request.callbacks = None
            return word

        return work

    return register


@app.task(name=task_name(COPY_TASK))
def copy_data(job_id: str, fence: str, copy_id: str) -> str:
    """Copies data of a job while it runs, as somebody ordered."""
    return _copies().run(job_id, fence, copy_id)


@app.task(name=task_name(CANARY_TASK), send_events=False)
def canary() -> None:
    """Does nothing. That it runs is the news, and the watch hears of it as of every message."""


def sweep(duty: Callable[[Machine], None]) -> Callable[[Machine], None]:
    """Makes a function a duty of the control workers."""

    @app.task(name=task_name(duty.__name__))
    def task() -> None:
        duty(machine)

    return duty


def request(duty: Callable[[Machine, str], None]) -> Callable[[Machine, str], None]:
    """Makes a function what a control worker does for a client that waits. The message carries a token only."""

    @app.task(name=task_name(duty.__name__))
    def task(token: str) -> None:
        patience.run(duty.__name__, lambda: duty(machine, token))

    return duty


def order(duty: Callable[[Machine, str, str], None]) -> Callable[[Machine, str, str], None]:
    """Makes a function what a control worker does for a job. The message carries the job's id and fence only."""

    @app.task(name=task_name(duty.__name__))
    def task(job_id: str, fence: str) -> None:
        duty(machine, job_id, fence)

    return duty


def _every(duty: str, seconds: float) -> dict[str, Any]:
    # A tick that waited for three periods is of no use: the next one does its work.
    return {
        "task": task_name(duty),
        "schedule": seconds,
        "options": {"queue": CONTROL_QUEUE, "expires": max(5, 3 * seconds)},
    }


app.conf.beat_schedule = {
    "timeouts": _every("mark_timeouts", machine.settings.timing.sweep_seconds),
    "placement": _every("place_waiting", machine.settings.timing.sweep_seconds),
    "lost_hosts": _every("recover_lost_hosts", machine.settings.timing.sweep_seconds),
    "drains": _every("evict_drained", machine.settings.timing.sweep_seconds),
    "budgets": _every("enforce_budgets", machine.settings.timing.sweep_seconds),
    "dead_queues": _every("drop_dead_messages", machine.settings.timing.sweep_seconds),
    "logs": _every("remove_old_logs", machine.settings.timing.sweep_seconds),
    "receipts": _every("sign_receipts", machine.settings.timing.sweep_seconds),
    "secrets": _every("keep_secrets", machine.settings.timing.sweep_seconds),
    "billing": _every("bill_minutes", machine.settings.timing.billing_seconds),
}
app.conf.imports = (
    "workers.steps",
    "workers.sweeps",
    "workers.checks",
    "workers.registry_checks",
    "workers.delivery",
    "workers.kept_logs",
)
