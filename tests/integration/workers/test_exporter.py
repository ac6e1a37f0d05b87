"""The exporter as a process: scrapes, outages of the job store, restarts."""

from __future__ import annotations

import socket
import subprocess
import time
import uuid
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import pytest
import requests
from prometheus_client.parser import text_string_to_metric_families
from redis import Redis
from redis.exceptions import NoPermissionError

from aitrain import Client, JobSpec, submit_jobs
from aitrain.broker import CHECK_SECONDS, QUICK
from aitrain.client import open_store
from aitrain.domain.errors import InvalidInput
from aitrain.settings import Settings
from aitrain.store.acl import Role, acl_file, user_of
from tests.integration.store.one_host import OneHost
from workers.metrics.catalogue import METRICS, Type
from workers.metrics.exporter import SiteCollector, application, families, run
from workers.scratch.servers import RedisServer, S3Server, accepts, free_port, wait_until
from workers.scratch.site import LocalSite

NAMESPACE = "site"


class Site:
    """A job store of its own, and the exporter over it."""

    def __init__(self, directory: Path, s3: S3Server) -> None:
        self.redis = RedisServer(directory / "redis")
        self.site = LocalSite(directory, redis_url=self.redis.url, s3=s3, namespace=NAMESPACE)
        self.port = free_port()
        self.exporter = self.site.metrics(self.port)

    def page(self, path: str) -> requests.Response:
        return requests.get(f"http://127.0.0.1:{self.port}{path}", timeout=10)

    def scrape(self) -> dict[tuple[str, ...], float]:
        answer = self.page("/metrics")
        assert answer.status_code == 200
        return {
            (sample.name, *sample.labels.values()): sample.value
            for family in text_string_to_metric_families(answer.text)
            for sample in family.samples
        }

    def answers(self) -> bool:
        try:
            return self.page("/healthz").ok
        except requests.ConnectionError:
            return False

    def until(self, series: tuple[str, ...], value: float) -> dict[tuple[str, ...], float]:
        wait_until(lambda: self.scrape().get(series) == value, 20, lambda: f"{series} is {self.scrape().get(series)}")
        return self.scrape()

    def log(self) -> str:
        return self.exporter.log.read_text()


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory, s3: S3Server) -> Iterator[Site]:
    with ExitStack() as stack:
        site = Site(tmp_path_factory.mktemp("site"), s3)
        stack.enter_context(site.redis)
        stack.enter_context(site.exporter)
        wait_until(site.answers, 30, site.log)
        with site.site.client() as client:
            submit_jobs(
                [JobSpec.of(image="x", command=["train"], resources={"gpu": 1}, project="red") for _ in range(3)],
                client=client,
            )
        yield site


def test_a_scrape_tells_the_site(site: Site) -> None:
    told = site.until(("aitrain_jobs", "red", "QUEUED"), 3)
    assert told["aitrain_up",] == told["aitrain_broker_up",] == told["aitrain_redis_aof_enabled",] == 1
    assert told["aitrain_jobs_waiting", "v100s"] == 3
    assert told["aitrain_moves_total", "JOB_QUEUED", "QUEUED"] == 3
    assert told["aitrain_queue_messages", "unrouted", "nobody"] == 0
    assert told["aitrain_redis_memory_bytes", "job"] > 1000


def test_the_page_is_as_prometheus_wants_it(site: Site) -> None:
    text = site.page("/metrics").text
    linted = subprocess.run(["promtool", "check", "metrics"], input=text, capture_output=True, text=True, check=False)
    assert linted.returncode == 0, linted.stdout + linted.stderr
    kinds = {family.name: family.type for family in text_string_to_metric_families(text)}
    for name, kind in kinds.items():
        metric = METRICS.get(name) or METRICS[f"{name}_total"]
        assert metric.type == Type(kind), name


def test_other_pages(site: Site) -> None:
    assert (site.page("/healthz").text, site.page("/healthz").status_code) == ("ok\n", 200)
    assert site.page("/").status_code == 404


def test_an_outage_is_told_and_counters_outlive_it(site: Site) -> None:
    site.redis.stop()
    told = site.until(("aitrain_up",), 0)
    assert {name for name, *_ in told} == {"aitrain_up", "aitrain_build_info"}
    assert site.page("/healthz").ok
    assert "does not answer" in site.log()
    site.redis.start()
    site.until(("aitrain_moves_total", "JOB_QUEUED", "QUEUED"), 3)
    assert "answer again" in site.log()


def test_an_address_that_cannot_be_had_is_named(redis: RedisServer) -> None:
    with pytest.raises(InvalidInput, match=f"127.0.0.1:{redis.port}.*name a free port"):
        run(Settings(redis_url=redis.url), "127.0.0.1", redis.port)


def test_its_user_reads_all_of_that_and_no_job(tmp_path: Path) -> None:
    """On a site whose Redis has users."""
    users = [user_of(Role.ADMIN, "a"), user_of(Role.METRICS, "m")]
    (tmp_path / "users.acl").write_text(acl_file(users, NAMESPACE))

    class Guarded(RedisServer):
        def command(self) -> list[str]:
            return [*super().command(), "--aclfile", str(tmp_path / "users.acl")]

        def ready(self) -> bool:
            return accepts(self.port)

    with Guarded(tmp_path / "redis", durable=False) as own:
        at = f"127.0.0.1:{own.port}/0"
        site = OneHost(f"redis://admin:a@{at}", NAMESPACE)
        job_id = site.running(env={"TOKEN": "secret"})
        collector = SiteCollector(Settings(redis_url=f"redis://metrics:m@{at}", namespace=NAMESPACE))
        told = {
            (sample.name, *sample.labels.values()): sample.value
            for family in collector.collect()
            for sample in family.samples
        }
        assert told["aitrain_up",] == told["aitrain_broker_up",] == 1
        assert told["aitrain_jobs", "default", "RUNNING"] == 1
        assert told["aitrain_redis_memory_bytes", "job"] > 0, "it may weigh what it may not read"
        assert ("aitrain_queue_messages", "cpu.cpu.h1", "host") in told
        with Redis.from_url(f"redis://metrics:m@{at}") as stranger:
            for command in (["HGETALL", site.store._key("job", job_id)], ["DEL", "site:x"], ["LPUSH", "site:x", "1"]):
                with pytest.raises(NoPermissionError):
                    stranger.execute_command(*command)
        site.store.close()


def test_a_broker_that_is_away_leaves_the_rest(redis: RedisServer) -> None:
    settings = Settings(redis_url=redis.url, broker_url="redis://127.0.0.1:1/0", namespace=f"t{uuid.uuid4().hex[:12]}")
    told = {family.name: family for family in SiteCollector(settings).collect()}
    assert [told[name].samples[0].value for name in ("aitrain_up", "aitrain_broker_up")] == [1, 0]
    assert "aitrain_queue_messages" not in told


def test_a_broker_that_says_nothing_does_not_cost_the_scrape(
    redis: RedisServer, namespace: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Prometheus waits for ten seconds, and then takes the exporter for dead."""
    assert 4 * CHECK_SECONDS < 10, "to connect and to ask, each twice"
    for limit in QUICK:
        monkeypatch.setitem(QUICK, limit, 0.2)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        broker_url = f"redis://127.0.0.1:{silent.getsockname()[1]}/0"
        began = time.monotonic()
        told = SiteCollector(Settings(redis_url=redis.url, broker_url=broker_url, namespace=namespace)).collect()
        assert {one.samples[0].value for one in told if one.name == "aitrain_broker_up"} == {0}
        assert time.monotonic() - began < 3


@pytest.mark.parametrize(
    ("key", "field", "value"),
    [
        ("canary", "worker/gpu-13", "junk"), ("counters", "move/RUNNING/JOB_RUNNING", "x"), ("refused", "control", "-"),
        ("counters", "minutes/red/v100s", "9" * 400), ("standing", "red/RUNNING", ""), ("sweeps", "bill_minutes", "?"),
        ("canary", b"worker/\xff", "1"),
    ],
)  # fmt: skip
def test_a_host_that_writes_nonsense_does_not_blind_the_site(
    redis: RedisServer, namespace: str, key: str, field: str | bytes, value: str
) -> None:
    settings = Settings(redis_url=redis.url, namespace=namespace)
    with Redis.from_url(redis.url) as stranger, closing(open_store(settings)) as store:
        store.check_schema()  # stamped, as every site is
        stranger.hset(store._key(key), field, value)
        told = {family.name: family.samples[0].value for family in SiteCollector(settings).collect()}
        assert told["aitrain_up"] == 1
        assert [one for one in store.vitals().of if one.name == "gpu-13" and one.proved_ms is not None] == []


def test_what_nobody_foresaw_is_logged_as_all_else(
    redis: RedisServer, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    collector, told = SiteCollector(Settings(redis_url=redis.url, namespace="x")), []
    answer = application(collector)
    monkeypatch.setattr(collector, "collect", lambda: 1 / 0)
    page = answer({"PATH_INFO": "/metrics", "REQUEST_METHOD": "GET"}, lambda status, _: told.append(status))
    assert told == ["500 Internal Server Error"]
    assert b"see the log" in b"".join(page)
    assert "ZeroDivisionError" in caplog.text


def test_whoever_asks_too_often_gets_the_same_answer(redis: RedisServer, namespace: str) -> None:
    settings = Settings(redis_url=redis.url, namespace=namespace)
    collector = SiteCollector(settings)
    first = list(collector.collect())
    with Client(settings) as client:
        submit_jobs([JobSpec.of(image="x", resources={"gpu": 1})], client=client)
    assert list(collector.collect()) == first


def test_each_family_is_told_once() -> None:
    assert families([]) == []
