"""Bills, as those who pay and those who keep the books see them: the command line over a real job store.

The commands run in this process, but for those of one test: starting a process for each would take most of the time.
"""

from __future__ import annotations

import csv
import io
import json
from decimal import Decimal
from pathlib import Path

import pytest
from typer.testing import CliRunner

from aitrain.cli.app import app
from aitrain.domain.billing import Policy
from aitrain.domain.errors import AitrainError
from aitrain.domain.states import State
from tests.acceptance.test_cli import Shell
from tests.integration.store.one_host import MINUTE, OneHost
from workers.scratch.servers import RedisServer

# 2024-03-31 23:50 UTC
END_OF_MARCH_MS = 1_711_929_000_000
FORMULA = '=HYPERLINK("http://evil.example")'


@pytest.fixture(scope="module")
def namespace() -> str:
    return "bills-acceptance"


class Commands:
    """Runs commands in this process."""

    def __init__(self, env: dict[str, str]) -> None:
        self.env = env

    def __call__(self, *arguments: str) -> str:
        done = CliRunner().invoke(app, arguments, env=self.env)
        if done.exception is not None:
            raise done.exception
        return done.stdout

    def refused(self, *arguments: str) -> str:
        """What a command that is refused says."""
        with pytest.raises(AitrainError) as told:
            self(*arguments)
        return str(told.value)


@pytest.fixture(scope="module")
def aitrain(redis: RedisServer, namespace: str) -> Commands:
    """A site of 2024: one job of two GPUs within March, one of a CPU that runs into April."""
    site = OneHost(redis.url, namespace)
    site.now_ms = END_OF_MARCH_MS - 300 * MINUTE
    site.store.set_billing(Policy.RUNNING, {"v100s": Decimal("1.93"), "cpu": Decimal("0.03")})
    for minutes, spec in (
        (300, {"gpu": 2, "user": FORMULA, "labels": {"team": "a"}}),
        (25, {"cpu": 1, "user": "ann,=1+1"}),
    ):
        job_id = site.running(name=f"ran-{minutes}", **spec)
        site.now_ms += minutes * MINUTE
        site.move(job_id, State.FINALIZING, ran_ms=minutes * MINUTE)
        site.move(job_id, State.DONE)
    site.store.close()
    return Commands({"AITRAIN_REDIS_URL": redis.url, "AITRAIN_NAMESPACE": namespace})


def read(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text, newline="")))


def test_a_bill_as_table_csv_and_json(aitrain: Commands) -> None:
    table = aitrain("bill", "show", "--month", "2024-03")
    assert all(words in table for words in ("v100s", "600", "19.3000", "total 19.31 EUR", "final"))
    bill = json.loads(aitrain("bill", "show", "--month", "2024-03", "--by", "label:team", "--output", "json"))
    assert (bill["total"], bill["state"]) == ("19.31", "final")
    assert [(group["label:team"], group["amount"]) for group in bill["groups"]] == [(None, "0.0050"), ("a", "19.3000")]
    rows = read(aitrain("bill", "show", "--month", "2024-03", "--by", "user", "--by", "flavor", "--output", "csv"))
    assert [(row["row"], row["user"], row["flavor"], row["amount"]) for row in rows] == [
        ("group", f"'{FORMULA}", "v100s", "19.3000"),
        ("group", "ann,=1+1", "cpu", "0.0050"),
        ("total", "", "", "19.31"),
    ]
    quoted = aitrain("bill", "show", "--month", "2024-04", "--by", "user", "--output", "csv")
    assert '"ann,=1+1"' in quoted
    assert "is not a month" in aitrain.refused("bill", "show", "--month", "3/2024")
    assert "is not a month" in aitrain.refused("bill", "show", "--month", ""), "an empty variable of a script"
    assert "is no name of a project" in aitrain.refused("bill", "show", "--project", "[/x]")
    assert "is nothing to group by" in aitrain.refused("bill", "show", "--by", "colour")


def test_the_rows_behind_a_bill_add_up_to_it(aitrain: Commands) -> None:
    rows = read(aitrain("bill", "rows", "--month", "2024-03", "--output", "csv"))
    assert sum(Decimal(row["price_minutes"]) for row in rows) / 60 == Decimal("19.305")
    of_gpus = next(row for row in rows if row["flavor"] == "v100s")
    record = json.loads(aitrain("bill", "rows", "--month", "2024-03", "--job", of_gpus["job"], "--output", "json"))
    assert (record["first"], record["minutes"], record["price"], record["units"]) == (0, 300, "1.93", 2)
    assert "0.03" in aitrain("bill", "rows", "--month", "2024-04")
    table = aitrain("bill", "rows", "--month", "2024-03")
    assert all(words in table for words in ("0-299", "2 v100s", "19.3000")), "whole, also where the terminal is narrow"


def test_usage_and_prices(aitrain: Commands) -> None:
    (used,) = read(aitrain("usage", "--month", "2024-04", "--output", "csv"))
    assert (used["project"], used["amount"]) == ("default", "0.01")
    assert "total 19.31 EUR" in aitrain("usage", "--month", "2024-03")
    assert "total 0.00 EUR" in aitrain("usage", "--month", "2024-02")
    prices = json.loads(aitrain("prices", "--output", "json"))
    assert {(row["flavor"], row["hourly_price"], row["from"][:10]) for row in prices if row["from"]} == {
        ("v100s", "1.93", "2024-03-31"), ("cpu", "0.03", "2024-03-31"),
    }  # fmt: skip
    assert "not told yet" in aitrain("prices")


def test_a_month_leaves_the_store(aitrain: Commands, tmp_path: Path) -> None:
    file = str(tmp_path / "march.jsonl")
    shell = Shell(aitrain.env)
    assert "2 lines of 2 jobs" in shell("bill", "export", "--month", "2024-03", file)
    assert "is there already" in aitrain.refused("bill", "export", "--month", "2024-03", file)
    assert "is not the ledger" in aitrain.refused("bill", "prune", "--month", "2024-04", "--export", file)
    assert "2 lines removed" in shell("bill", "prune", "--month", "2024-03", "--export", file)
    gone = aitrain("bill", "show", "--month", "2024-03")
    assert "pruned" in gone
    assert "total 19.31 EUR" in gone
    assert "total 0.01 EUR" in aitrain("bill", "show", "--month", "2024-04"), "the other month stands"
