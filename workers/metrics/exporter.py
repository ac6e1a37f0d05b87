"""Answers scrapes: /metrics, read anew each time, and /healthz, which says that this process lives.

A job store that is away is told as aitrain_up 0, with HTTP 200: Prometheus is to keep that, and not to take this for a
dead process.
"""

from __future__ import annotations

import logging
import signal
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from importlib.metadata import version
from socketserver import ThreadingMixIn
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

from prometheus_client import CollectorRegistry, make_wsgi_app
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from aitrain.broker import Broker
from aitrain.domain.counting import Durations
from aitrain.domain.errors import BrokerUnavailable, InvalidInput, StoreUnavailable
from aitrain.settings import Settings
from aitrain.store.metering import Meter
from workers.metrics.catalogue import METRICS, Type
from workers.metrics.samples import Sample, queue_samples, queues, refused_samples, samples

log = logging.getLogger(__name__)

# The job store has other work to do than to answer whoever asks more often.
SOONEST_SECONDS = 0.5


class SiteCollector(Collector):
    """Reads the site for each scrape."""

    def __init__(self, settings: Settings, soonest_s: float = SOONEST_SECONDS) -> None:
        """soonest_s: whoever asks again within so many seconds gets the same answer."""
        self._soonest_s = soonest_s
        self._version = version("aitrain")
        self._meter = Meter(settings.redis_url, namespace=settings.namespace, ca_file=settings.redis_ca_file)
        self._broker = Broker(settings)
        self._kinds = {name: flavor.kind for name, flavor in settings.flavors.items()}
        self._lock = threading.Lock()
        self._read_at = float("-inf")
        self._told: list[Metric] = []
        self._trouble = ""

    def collect(self) -> Iterator[Metric]:
        """The families of metrics. Raises nothing that an outage explains."""
        with self._lock:
            if time.monotonic() - self._read_at >= self._soonest_s:
                self._told = families(self._samples())
                self._read_at = time.monotonic()
            yield from self._told

    def _samples(self) -> list[Sample]:
        began = time.monotonic()
        told = [Sample("aitrain_build_info", (self._version,), 1)]
        try:
            readings = self._meter.read(self._kinds)
        except StoreUnavailable as error:
            self._say(str(error))
            return [*told, Sample("aitrain_up", (), 0)]
        told += [Sample("aitrain_up", (), 1), *samples(readings)]
        readers = queues(readings, self._kinds)
        told += refused_samples(readers, readings.refused)
        try:
            told += queue_samples(readers, self._broker.lengths(list(readers)))
            told.append(Sample("aitrain_broker_up", (), 1))
            self._say("")
        except BrokerUnavailable as error:
            self._say(str(error))
            told.append(Sample("aitrain_broker_up", (), 0))
        return [*told, Sample("aitrain_read_seconds", (), time.monotonic() - began)]

    def _say(self, trouble: str) -> None:
        if trouble and trouble != self._trouble:
            log.warning("%s", trouble)
        elif self._trouble and not trouble:
            log.info("the job store and the broker answer again")
        self._trouble = trouble


def families(told: Iterable[Sample]) -> list[Metric]:
    """Samples as the library wants them, each metric once."""
    made: dict[str, Any] = {}
    for sample in told:
        metric = METRICS[sample.name]
        if sample.name not in made:
            kind = {
                Type.GAUGE: GaugeMetricFamily,
                Type.COUNTER: CounterMetricFamily,
                Type.HISTOGRAM: HistogramMetricFamily,
            }[metric.type]
            made[sample.name] = kind(sample.name, metric.help, labels=metric.labels)
        if isinstance(sample.value, Durations):
            made[sample.name].add_metric(sample.labels, sample.value.cumulated(), sample.value.sum_s)
        else:
            made[sample.name].add_metric(sample.labels, float(sample.value))
    return list(made.values())


class _Server(ThreadingMixIn, WSGIServer):
    """A thread for each request: a health check does not wait for a scrape."""

    daemon_threads = True


class _Quiet(WSGIRequestHandler):
    def log_message(self, *_: Any) -> None:
        """A line for each scrape says nothing."""


def application(collector: Collector) -> Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]:
    """The two pages, as a WSGI application."""
    registry = CollectorRegistry()
    registry.register(collector)
    metrics = make_wsgi_app(registry)

    def answer(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        match environ["PATH_INFO"]:
            case "/metrics":
                try:
                    page: Iterable[bytes] = metrics(environ, start_response)
                except Exception:
                    # Else the server would print it past the form of lines.
                    log.exception("a scrape failed unforeseen")
                    status, text = "500 Internal Server Error", b"see the log of aitrain metrics\n"
                else:
                    return page
            case "/healthz":
                status, text = "200 OK", b"ok\n"
            case _:
                status, text = "404 Not Found", b"/metrics and /healthz are here\n"
        start_response(status, [("Content-Type", "text/plain; charset=utf-8")])
        return [text]

    return answer


def run(settings: Settings, address: str, port: int) -> int:
    """Answers scrapes until SIGTERM or SIGINT; the exit status. Raises InvalidInput if the address cannot be had."""
    collector = SiteCollector(settings)
    try:
        server = make_server(address, port, application(collector), server_class=_Server, handler_class=_Quiet)
    except (OSError, OverflowError) as error:
        raise InvalidInput.of(
            "address",
            f"{address}:{port}",
            f"cannot be listened on ({error})",
            "name a free port, and an address of this machine",
        ) from error
    for number in (signal.SIGTERM, signal.SIGINT):
        # The loop that is to end waits in this very thread.
        signal.signal(number, lambda *_: threading.Thread(target=server.shutdown).start())
    log.info("metrics at http://%s:%d/metrics", address, server.server_port)
    with server:
        server.serve_forever()
    return 0
