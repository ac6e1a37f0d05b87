"""Alerts and dashboards in deploy/: Prometheus takes them, each alert is tried, and none names what is not there."""

from __future__ import annotations

import json
import re
import subprocess
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import yaml

from workers.metrics.catalogue import METRICS, Type

ROOT = Path(__file__).parents[2]
RULES = ROOT / "deploy/prometheus"
DASHBOARDS = sorted((ROOT / "deploy/grafana").glob("*.json"))
ALERTS = [rule for group in yaml.safe_load((RULES / "alerts.yml").read_text())["groups"] for rule in group["rules"]]
PAGE = "docs/how-to/monitor.md"
# Labels that come from Prometheus itself.
FOREIGN = {"job", "le", "alertname", "alertstate"}


def series() -> set[str]:
    """Every name that a query may use."""
    parts = {name: ("_bucket", "_sum", "_count") for name, one in METRICS.items() if one.type is Type.HISTOGRAM}
    return {name + part for name in METRICS for part in parts.get(name, ("",))}


def expressions(dashboard: Path) -> list[str]:
    """The queries of a dashboard."""
    panels: list[dict[str, Any]] = json.loads(dashboard.read_text())["panels"]
    return [target["expr"] for panel in panels for target in panel["targets"]]


def labels(expression: str) -> set[str]:
    """The labels that a query selects, groups or joins by."""
    selected = re.findall(r'(\w+)\s*(?:=~|!~|!=|=)\s*"', expression)
    grouped = [name for names in re.findall(r"\b(?:by|on) ?\(([^)]*)\)", expression) for name in names.split(",")]
    return {name.strip() for name in (*selected, *grouped)} - {""}


@pytest.mark.parametrize(
    "check",
    [["check", "config", "prometheus.yml"], ["check", "rules", "alerts.yml"], ["test", "rules", "alerts_test.yml"]],
    ids=" ".join,
)
def test_prometheus_takes_it(check: list[str]) -> None:
    done = subprocess.run(["promtool", *check], cwd=RULES, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_each_alert_is_seen_to_fire_and_to_be_quiet() -> None:
    tried = yaml.safe_load((RULES / "alerts_test.yml").read_text())["tests"]
    found = Counter(
        (re.findall(r'alertname="(\w+)"', one["expr"])[0], bool(one["exp_samples"]))
        for test in tried
        for one in test["promql_expr_test"]
    )
    assert found == Counter({(alert["alert"], fires): 1 for alert in ALERTS for fires in (True, False)})


def test_an_alert_says_what_it_means_and_what_to_do() -> None:
    headings = re.findall(r"^#+ (.*)$", (ROOT / PAGE).read_text(), re.M)
    for alert in ALERTS:
        assert set(alert["annotations"]) == {"summary", "description", "action", "runbook"}
        assert alert["labels"]["severity"] in ("critical", "warning")
        assert alert["annotations"]["runbook"] == f"{PAGE}#{alert['alert'].lower()}"
        assert alert["alert"] in headings, "the page has a section of it"


@pytest.mark.parametrize(
    ("where", "queries"),
    [("alerts.yml", [alert["expr"] for alert in ALERTS]), *((file.name, expressions(file)) for file in DASHBOARDS)],
)
def test_queries_name_metrics_and_labels_that_there_are(where: str, queries: list[str]) -> None:
    assert queries
    known = FOREIGN | {label for metric in METRICS.values() for label in metric.labels}
    for query in queries:
        assert set(re.findall(r"\baitrain_\w+", query)) <= series(), (where, query)
        assert labels(query) <= known, (where, query)


def test_panels_of_a_dashboard_lie_side_by_side() -> None:
    for file in DASHBOARDS:
        places = [panel["gridPos"] for panel in json.loads(file.read_text())["panels"]]
        cells = [(x, y) for p in places for x in range(p["x"], p["x"] + p["w"]) for y in range(p["y"], p["y"] + p["h"])]
        assert len(cells) == len(set(cells)), file.name
        assert max(x for x, _ in cells) < 24, file.name
