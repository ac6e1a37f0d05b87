"""A real Prometheus on a loopback port, for tests: it scrapes each second and evaluates its alerts each second."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import requests

from workers.scratch.servers import Server, free_port


class Prometheus(Server):
    """Scrapes one exporter, under the name that the alerts know."""

    def __init__(self, directory: Path, *, target: int, rules: str) -> None:
        """target: the port of the exporter; rules: the text of a file of alerts."""
        super().__init__(directory)
        self.port = free_port()
        self._target, self._rules = target, rules

    def command(self) -> list[str]:
        """prometheus, on loopback only, with its data below the directory."""
        (self.directory / "alerts.yml").write_text(self._rules)
        config = {
            "global": {"scrape_interval": "1s", "scrape_timeout": "1s", "evaluation_interval": "1s"},
            "rule_files": ["alerts.yml"],
            "scrape_configs": [{"job_name": "aitrain", "static_configs": [{"targets": [f"127.0.0.1:{self._target}"]}]}],
        }
        (self.directory / "prometheus.yml").write_text(json.dumps(config))  # which is YAML, too
        return [
            "prometheus", f"--config.file={self.directory / 'prometheus.yml'}",
            f"--storage.tsdb.path={self.directory / 'data'}", f"--web.listen-address=127.0.0.1:{self.port}",
            "--log.level=warn",
        ]  # fmt: skip

    def ready(self) -> bool:
        """It answers queries."""
        try:
            return requests.get(f"http://127.0.0.1:{self.port}/-/ready", timeout=1).ok
        except requests.RequestException:
            return False

    def targets(self) -> Mapping[str, str]:
        """The health of each target, by its job."""
        active = self._get("targets")["activeTargets"]
        return {target["labels"]["job"]: target["health"] for target in active}

    def query(self, expression: str) -> list[Mapping[str, Any]]:
        """What an expression comes to now."""
        result: list[Mapping[str, Any]] = self._get("query", query=expression)["result"]
        return result

    def firing(self) -> Iterable[tuple[str, Mapping[str, str]]]:
        """Names and labels of the alerts that fire."""
        for alert in self._get("alerts")["alerts"]:
            if alert["state"] == "firing":
                yield alert["labels"]["alertname"], alert["labels"]

    def _get(self, path: str, **parameters: str) -> Any:
        answer = requests.get(f"http://127.0.0.1:{self.port}/api/v1/{path}", params=parameters, timeout=10)
        answer.raise_for_status()
        return answer.json()["data"]
