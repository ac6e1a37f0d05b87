"""A real Prometheus over a real fleet: the dashboards have answers, and a dead beat and a dead host are heard of."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest

from aitrain import JobState
from tests.acceptance.conftest import QUICK, Fleet, eventually
from tests.prometheus_server import Prometheus
from tests.unit.test_alerts import DASHBOARDS, RULES, expressions
from workers.scratch.servers import DockerEngine, free_port
from workers.scratch.site import Aitrain

# As in alerts.yml, but for a site that is watched for seconds.
SOONER = {"for: .*": "for: 1s", "> 180$": "> 5"}


@dataclass
class Watched:
    """A fleet with its Prometheus."""

    fleet: Fleet
    prometheus: Prometheus
    beat: Aitrain
    host: Aitrain

    def value(self, expression: str) -> float | None:
        found = self.prometheus.query(expression)
        return float(found[0]["value"][1]) if found else None

    def until(self, expression: str, value: float) -> None:
        eventually(lambda: self.value(expression) == value, 20, f"{expression}, now {self.value(expression)},")

    def until_firing(self, alert: str, **labels: str) -> None:
        """Asks a few times a second: Prometheus looks at its alerts once in each."""
        end = time.monotonic() + 40
        while not any(name == alert and labels.items() <= of.items() for name, of in self.prometheus.firing()):
            assert time.monotonic() < end, f"{alert} does not fire: {list(self.prometheus.firing())}"
            time.sleep(0.2)


@pytest.fixture(scope="module")
def watched(
    make_fleet: Callable[..., Fleet], engine: DockerEngine, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Watched]:
    """A site with a job that has ended, whose data was copied both ways, and one that runs."""
    fleet, port = make_fleet(timing={**QUICK, "host_lease_seconds": 2}), free_port()
    rules = (RULES / "alerts.yml").read_text()
    for pattern, instead in SOONER.items():
        rules = re.sub(pattern, instead, rules, flags=re.M)
    prometheus = Prometheus(tmp_path_factory.mktemp("prometheus"), target=port, rules=rules)
    beat, host = fleet.site.beat(), fleet.site.host("h1", {"cpu": 2}, engine.url)
    bucket = f"metrics-{fleet.site.settings.namespace}"
    fleet.s3.create_bucket(Bucket=bucket)
    fleet.s3.put_object(Bucket=bucket, Key="in/a", Body=b"x" * 1000)
    with ExitStack() as stack:
        for process in (host, fleet.site.control(), beat, fleet.site.metrics(port), prometheus):
            stack.enter_context(process)  # type: ignore[arg-type]
        volumes = [f"{bucket}@s3/in:/in:ro", f"{bucket}@s3/out:/out:rw"]
        done = fleet.submit("sh", "-c", "cat /in/a /in/a > /out/b", volumes=volumes, project="red")
        fleet.submit("sleep", "600", project="blue")
        assert fleet.end(done).state is JobState.DONE
        yield Watched(fleet, prometheus, beat, host)


def test_what_prometheus_scrapes_is_what_happened(watched: Watched) -> None:
    eventually(lambda: watched.prometheus.targets() == {"aitrain": "up"}, 20, "the target")
    watched.until('aitrain_jobs{project="red", state="DONE"}', 1)
    watched.until('aitrain_jobs{project="blue", state="RUNNING"}', 1)
    watched.until('aitrain_units{host="h1", flavor="cpu", use="used"}', 1)
    watched.until('aitrain_copied_bytes_total{direction="in"}', 1000)
    watched.until('aitrain_copied_bytes_total{direction="out"}', 2000)
    watched.until('aitrain_copied_files_total{direction="out"}', 1)
    watched.until('aitrain_moves_total{state="DONE", code="JOB_DONE"}', 1)
    watched.until('aitrain_billed_unit_minutes_total{project="red", flavor="cpu"}', 1)
    watched.until('aitrain_step_duration_seconds_count{step="sync_in"}', 2)
    watched.until('aitrain_step_duration_seconds_count{step="run"}', 1)
    watched.until('aitrain_queue_wait_seconds_count{flavor="cpu"}', 2)
    watched.until('aitrain_host_state{host="h1", state="READY"}', 1)
    free, size = (watched.value(f"aitrain_host_disk_{part}_bytes") for part in ("free", "size"))
    assert free is not None
    assert size is not None
    assert 0 < free < size


@pytest.mark.parametrize("dashboard", DASHBOARDS, ids=lambda file: str(file.stem))
def test_every_panel_of_a_dashboard_has_an_answer(watched: Watched, dashboard: Path) -> None:
    for asked in expressions(dashboard):
        query = re.sub(r"\$(flavor|host|project)\b", ".*", asked.replace("$__rate_interval", "1m"))
        assert "$" not in query, "a variable that the test does not know"
        eventually(lambda query=query: watched.prometheus.query(query), 20, f"an answer to {query}")


def test_nothing_fires_while_all_is_well(watched: Watched) -> None:
    known = {"AitrainDiskNearlyFull"}  # of the machine that the tests run on
    eventually(lambda: {name for name, _ in watched.prometheus.firing()} <= known, 20, "silence")


def test_a_beat_that_stopped_is_heard_of(watched: Watched) -> None:
    watched.beat.stop()
    watched.until_firing("AitrainBeatSilent")


def test_a_host_that_was_killed_is_heard_of(watched: Watched) -> None:
    watched.host.kill()
    watched.until_firing("AitrainHostAway", host="h1")
    watched.until('aitrain_units{host="h1", flavor="cpu", use="free"}', 0)
