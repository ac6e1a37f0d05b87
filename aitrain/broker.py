"""The Celery app as producers need it: queues, task names, and the messages that carry a job along.

A message carries a job's id and fence and nothing else: the worker reads everything from the job store. Reasons for
each option stand beside it; most were learnt from what Celery does on Redis when a connection breaks.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property
from typing import TYPE_CHECKING, Any

from aitrain.domain.checked import checked_redis_url
from aitrain.domain.errors import BrokerUnavailable
from aitrain.domain.flavor import Kind
from aitrain.domain.redis_refusals import refusal
from aitrain.domain.states import Step
from aitrain.settings import Settings

if TYPE_CHECKING:  # Celery takes long to load, and most commands send nothing: it is imported where it is needed
    from celery import Celery
    from celery.canvas import Signature

CONTROL_QUEUE = "control"
COPY_TASK = "copy_data"
# What a worker sends itself to see that its messages arrive.
CANARY_TASK = "canary"
# No worker consumes it: whatever lands there was sent without a queue, and that is a defect.
UNROUTED_QUEUE = "unrouted"
# The duty of control workers that tries a data store which is to be added.
CHECK_DATA_STORE = "check_data_store"
# And a registry.
CHECK_REGISTRY = "check_registry"
# The duty of control workers that hands a job's secrets to its host.
DELIVER_SECRETS = "deliver_secrets"
READ_LOG_CHUNK = "read_log_chunk"
# Beat's sweep for what waits. Hosts that may not place jobs themselves ask for it; an old question is of no use.
PLACEMENT = "place_waiting"
PLACEMENT_SECONDS = 60
# More ways to a Redis, which the broker's client knows and the job store's does not.
UNPLAIN_SCHEMES = ("sentinel", "redis+socket", "rediss+socket")
TLS_SCHEMES = ("rediss:", "rediss+")
# Whoever only asks whether the broker answers wants to know soon.
CHECK_SECONDS = 2.0
QUICK = {"socket_timeout": CHECK_SECONDS, "socket_connect_timeout": CHECK_SECONDS}


def host_queue(kind: Kind, flavor: str, host: str) -> str:
    """The queue of one host for one flavor, named by its label and itself: gpu.v100s.gpu-01."""
    return f"{kind}.{flavor}.{host}"


def queues_of(host: str, flavors: Iterable[str]) -> list[str]:
    """Every queue that a host can ever have had, whichever kind its flavors were of."""
    return [host_queue(kind, flavor, host) for flavor in sorted(flavors) for kind in Kind]


def task_name(duty: str) -> str:
    """The name of a step's or a sweep's task."""
    return f"aitrain.{duty}"


def celery_app(settings: Settings) -> Celery:
    """A Celery app with aitrain's configuration."""
    from celery import Celery

    app = Celery("aitrain")
    app.conf.update(
        broker_url=_url(settings),
        # kombu checks no certificate unless it is told to.
        broker_use_ssl=_tls(settings),
        # States live in the job store; a result backend would be a second truth, and a leak.
        result_backend=None,
        task_ignore_result=True,
        task_serializer="json",
        accept_content=["json"],
        # Acknowledged early and never prefetched: with nothing unacknowledged, a broken connection can neither deliver
        # a running step a second time nor kill the worker. What is lost with a worker, the job store sends again.
        task_acks_late=False,
        worker_disable_prefetch=True,
        worker_prefetch_multiplier=1,
        # Flower needs the events; and without them a threads pool without prefetch wakes only once a second.
        worker_send_task_events=True,
        task_send_sent_event=True,
        task_default_queue=UNROUTED_QUEUE,
        task_publish_retry_policy={"max_retries": 2, "interval_start": 0, "interval_step": 0.2, "interval_max": 1},
        broker_connection_retry_on_startup=True,
        broker_connection_max_retries=None,
        broker_connection_timeout=3,
        broker_transport_options={
            # Without a socket timeout a frozen Redis blocks submit_job for ever.
            "socket_timeout": 5,
            "socket_connect_timeout": 3,
            "socket_keepalive": True,
            "health_check_interval": 25,
            # For the one message that a worker took and was killed before it could acknowledge it.
            "visibility_timeout": 300,
            "priority_steps": [0],
            "global_keyprefix": f"{settings.namespace}:",
        },
        timezone="UTC",
        enable_utc=True,
        worker_hijack_root_logger=False,
        beat_max_loop_interval=5,
    )
    return app


class Broker:
    """Sends the messages of jobs, and those to control workers."""

    def __init__(self, settings: Settings) -> None:
        """Raises InvalidInput if the URL is not one of Redis: found when a message is sent, it would be too late."""
        _url(settings)
        self._settings = settings

    @cached_property
    def app(self) -> Celery:
        """The Celery app, made when the first message is sent."""
        return celery_app(self._settings)

    def check(self) -> None:
        """Connects as a producer does, and sends nothing.

        Raises BrokerUnavailable if the broker does not answer within seconds.
        """
        from celery.exceptions import CeleryError
        from kombu.exceptions import KombuError

        try:
            with self.app.connection_for_write(transport_options=QUICK) as connection:
                connection.ensure_connection(max_retries=1, interval_start=0)
        except (CeleryError, KombuError, OSError) as error:
            raise _unavailable(error) from error

    def send_chain(self, job_id: str, fence: str, queue: str, project: str = "") -> None:
        """Sends the four links of a job's chain to its host's queue. project: for Flower to show, "" for none.

        Raises BrokerUnavailable; the message may have been sent all the same.
        """
        self.send_step(next(iter(Step)), job_id, fence, queue, project)

    def send_step(self, step: Step, job_id: str, fence: str, queue: str, project: str = "") -> None:
        """Sends one step and those that follow it, built from the job's state. project: see send_chain."""
        from celery import chain

        steps = list(Step)
        args, shown = (job_id, fence), (f"job={job_id}", _shown(project=project))
        links = [self._link(link, args, queue, shown) for link in steps[steps.index(step) :]]
        self._send(chain(*links) if len(links) > 1 else links[0])

    def send_check(self, token: str, project: str = "", duty: str = CHECK_DATA_STORE, **subject: str) -> None:
        """Asks the control workers to try what is to be added. The message carries its token only.

        project: whose it is to be; duty: the one that tries it; subject: what it is called, for Flower to show. Raises
        BrokerUnavailable.
        """
        self._send(self._request(duty, (f"check={token}", _shown(project=project, **subject)), token))

    def send_chunk(self, token: str, job_id: str = "", project: str = "") -> None:
        """Asks the control workers to read a part of a log. The message carries its token only.

        job_id, project: whose log, for Flower to show. Raises BrokerUnavailable.
        """
        self._send(self._request(READ_LOG_CHUNK, (f"chunk={token}", _shown(job=job_id, project=project)), token))

    def send_placement(self) -> None:
        """Asks the control workers for a placement pass. Raises BrokerUnavailable."""
        ask = {"queue": CONTROL_QUEUE, "argsrepr": "()", "kwargsrepr": "{}", "expires": PLACEMENT_SECONDS}
        self._send(self.app.signature(task_name(PLACEMENT), immutable=True, **ask))

    def send_delivery(self, job_id: str, fence: str, project: str = "") -> None:
        """Asks the control workers to hand a job's secrets to its host. project, errors: see send_chain."""
        shown = (f"job={job_id}", _shown(project=project))
        self._send(self._link(DELIVER_SECRETS, (job_id, fence), CONTROL_QUEUE, shown))

    def send_canary(self, queue: str, expires_s: float) -> None:
        """Sends a worker what only shows that it takes messages, to a queue of its own.

        expires_s: after so long it is of no use. No monitor hears of it. Raises BrokerUnavailable.
        """
        self._send(
            self._quiet_app.signature(
                task_name(CANARY_TASK), immutable=True, queue=queue, expires=expires_s, argsrepr="", kwargsrepr="{}"
            )
        )

    @cached_property
    def _quiet_app(self) -> Celery:
        app = celery_app(self._settings)
        app.conf.task_send_sent_event = False
        return app

    def send_copy(self, job_id: str, fence: str, copy_id: str, queue: str, project: str = "") -> None:
        """Sends an order to copy a running job's data to its host's queue. project, errors: see send_chain."""
        shown = (f"job={job_id}", _shown(project=project, copy=copy_id))
        self._send(self._link(COPY_TASK, (job_id, fence, copy_id), queue, shown))

    def lengths(self, queues: Sequence[str]) -> dict[str, int]:
        """How many messages wait in each queue; 0 for one that there is not.

        Raises BrokerUnavailable, within seconds: a scrape that waits for longer is lost as a whole.
        """
        if not queues:
            return {}
        with self._channel(**QUICK) as channel:
            # As kombu counts the messages of one queue, but in one round trip for all.
            with channel.conn_or_acquire() as client, client.pipeline(transaction=False) as pipe:
                for name in queues:
                    for priority in channel.priority_steps:
                        pipe.llen(channel._q_for_pri(name, priority))
                counted = iter(pipe.execute())
            return {name: sum(next(counted) for _ in channel.priority_steps) for name in queues}

    def purge(self, queue: str, *, forget: bool = False) -> int:
        """Drops the messages of a queue; how many. forget: the queue, too. Raises BrokerUnavailable."""
        with self._channel() as channel:
            dropped = int(channel.queue_purge(queue) or 0)
            if forget:
                bound = self.app.amqp.queues.new_missing(queue).bind(channel)
                bound.declare()
                bound.delete()
        return dropped

    def readers(self) -> dict[str, list[str]]:
        """Which workers read which queue, as far as they answer within a second. Raises BrokerUnavailable."""
        readers: dict[str, list[str]] = {}
        with self._told():
            answers = self.app.control.inspect(timeout=CHECK_SECONDS / 2).active_queues() or {}
        for worker, queues in sorted(answers.items()):
            for queue in queues:
                readers.setdefault(str(queue["name"]), []).append(worker)
        return readers

    @contextmanager
    def _channel(self, **options: float) -> Iterator[Any]:
        with self._told(), self.app.connection_for_write(transport_options=options) as connection:
            connection.ensure_connection(max_retries=1, interval_start=0)
            yield connection.default_channel

    def _link(self, step: str, args: tuple[str, ...], queue: str, shown: tuple[str, str]) -> Signature:
        # The queue stands on every link: options of a chain reach its first link only. `shown` is what Flower shows as
        # args and kwargs: two columns, since it cuts what is longer than a job's id.
        return self.app.signature(
            task_name(step),
            args=args,
            immutable=True,
            queue=queue,
            argsrepr=shown[0],
            kwargsrepr=shown[1],
        )

    def _request(self, request: str, shown: tuple[str, str], token: str) -> Signature:
        return self.app.signature(
            task_name(request),
            args=(token,),
            immutable=True,
            queue=CONTROL_QUEUE,
            argsrepr=shown[0],
            kwargsrepr=shown[1],
        )

    def _send(self, signature: Signature) -> Any:
        from celery.exceptions import CeleryError
        from kombu.exceptions import KombuError

        try:
            return signature.apply_async()
        except (CeleryError, KombuError, OSError) as error:
            raise _unavailable(error) from error

    @contextmanager
    def _told(self) -> Iterator[None]:
        """Tells what goes wrong below Celery's own calls, where the transport's errors come through as they are."""
        from celery.exceptions import CeleryError
        from kombu.exceptions import KombuError

        transport = self.app.connection_for_write()
        try:
            yield
        except (CeleryError, KombuError, OSError, *transport.connection_errors, *transport.channel_errors) as error:
            raise _unavailable(error) from error


def _shown(**facts: str) -> str:
    """What is known of these, for people."""
    return " ".join(f"{name}={value}" for name, value in facts.items() if value) or "{}"


def _url(settings: Settings) -> str:
    url = settings.broker_url or settings.redis_url
    if url.partition("://")[0] in UNPLAIN_SCHEMES:
        return url
    return checked_redis_url("broker_url" if settings.broker_url else "redis_url", url)


def _tls(settings: Settings) -> dict[str, Any] | None:
    """How a broker that speaks TLS proves itself: by its certificate, and by the name in that."""
    if not _url(settings).startswith(TLS_SCHEMES):
        return None
    given = {"ssl_ca_certs": str(settings.redis_ca_file)} if settings.redis_ca_file else {}
    return {"ssl_cert_reqs": "required", "ssl_check_hostname": True, **given}


def _unavailable(error: Exception) -> BrokerUnavailable:
    if (words := refusal(str(error))) is not None:
        return BrokerUnavailable(f"the broker {words}")
    return BrokerUnavailable(f"the broker does not answer ({error}): is Redis running at broker_url?")
