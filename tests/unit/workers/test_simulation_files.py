"""The files of a simulation: what is wrong in them is named with its place and what would be right."""

from __future__ import annotations

from pathlib import Path

import pytest

from aitrain.domain.errors import InvalidInput
from aitrain.domain.flavor import BUILT_IN
from aitrain.settings import Settings
from workers.simulation.command import parse_order, with_policy
from workers.simulation.fleet import read_fleet
from workers.simulation.joblist import read_jobs
from workers.simulation.measures import common_ms, percentile
from workers.simulation.sample import sample

FLEET = """
[[hosts]]
name = "gpu"
count = 3
units = { v100s = 4 }
"""


def fleet_error(tmp_path: Path, text: str) -> str:
    (tmp_path / "fleet.toml").write_text(text)
    with pytest.raises(InvalidInput) as error:
        read_fleet(tmp_path / "fleet.toml", BUILT_IN)
    return str(error.value)


def jobs_error(tmp_path: Path, text: str) -> str:
    (tmp_path / "jobs").write_text(text)
    with pytest.raises(InvalidInput) as error:
        read_jobs(tmp_path / "jobs", BUILT_IN)
    return str(error.value)


def test_hosts_that_are_alike_are_counted(tmp_path: Path) -> None:
    (tmp_path / "fleet.toml").write_text(FLEET + '[[hosts]]\nname = "big"\nunits = { h100 = 8, cpu = 4 }\n')
    fleet = read_fleet(tmp_path / "fleet.toml", BUILT_IN)
    assert [name for hosts in fleet.hosts for name in hosts.names] == ["gpu-001", "gpu-002", "gpu-003", "big"]
    assert fleet.capacity() == {"v100s": 4, "h100": 8, "cpu": 4}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("hosts = 3 3", "is not TOML"),
        ("", "hosts"),
        (FLEET.replace("v100s", "v100"), "fleet: hosts[0].units: 'v100' is not a flavor of this site; use one of: cpu"),
        (FLEET.replace("count = 3", "count = 0"), "fleet: hosts[0].count: '0'"),
        (FLEET + FLEET, "'gpu-001' is the name of two hosts"),
        (FLEET + '[[events]]\nat_s = 5\nhost = "gpu-9"\nwhat = "lost"\n', "fleet: events[0].host: 'gpu-9' is no host"),
        (FLEET + '[[events]]\nat_s = 5\nhost = "gpu-001"\nwhat = "burnt"\n', "fleet: events[0].what: 'burnt'"),
    ],
)
def test_a_wrong_fleet_is_explained(tmp_path: Path, text: str, said: str) -> None:
    assert said in fleet_error(tmp_path, text)


def test_jobs_as_csv_and_as_json_lines_are_the_same(tmp_path: Path) -> None:
    (tmp_path / "csv").write_text("run_s,units,flavor\n60,2,\n5,,cpu\n")
    (tmp_path / "json").write_text('{"run_s": 60, "units": 2}\n\n{"run_s": 5, "flavor": "cpu"}\n')
    assert read_jobs(tmp_path / "csv", BUILT_IN) == read_jobs(tmp_path / "json", BUILT_IN)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("units\n1\n", "jobs line 1: has no column run_s; use these: submitted_s,"),
        ("run_s,colour\n1,red\n", "has the unknown columns colour"),
        ("run_s,units\n60,1\n-5,two\n", "jobs line 3: run_s: '-5' input should be greater than 0"),
        ("run_s,units\n60,1\n60,1,1\n", "jobs line 3: has too many or too few values"),
        ("run_s,flavor\n60,tpu\n", "jobs line 2: flavor: 'tpu' is not a flavor of this site; use one of: cpu, h100"),
        ('{"run_s": 60}\n{"run_s": \n', "jobs line 2"),
        ("run_s\n", "has no job"),
    ],
)
def test_a_wrong_list_of_jobs_is_explained(tmp_path: Path, text: str, said: str) -> None:
    assert said in jobs_error(tmp_path, text)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="cannot be read"):
        read_jobs(tmp_path / "nowhere.csv", BUILT_IN)


def test_a_made_up_list_is_the_same_for_the_same_seed(tmp_path: Path) -> None:
    assert sample(50, 4, 2) == sample(50, 4, 2) != sample(50, 5, 2)
    (tmp_path / "jobs").write_text(sample(50, 4, 2))
    assert len(read_jobs(tmp_path / "jobs", BUILT_IN)) == 50


def test_a_policy_is_settings_of_its_own() -> None:
    settings = with_policy(Settings(), {"timing.placement_patience_seconds": "5"})
    assert settings.timing.placement_patience_seconds == 5
    with pytest.raises(InvalidInput, match="is no setting of a policy"):
        with_policy(Settings(), {"redis_url": "x"})
    with pytest.raises(InvalidInput, match=r"timing\.placement_patience_seconds: 'long'"):
        with_policy(Settings(), {"timing.placement_patience_seconds": "long"})


def test_figures_of_small_sets() -> None:
    assert [percentile([1, 2, 3, 4], share) for share in (0.5, 0.9, 1.0)] == [2, 4, 4]
    assert percentile([], 0.5) == 0
    assert common_ms((10, 30), [(0, 12), (20, 25), (29, 40)]) == 2 + 5 + 1


@pytest.mark.parametrize("time", ["inf", "nan", "1e300", "-1"])
def test_a_time_without_a_date_is_no_time(tmp_path: Path, time: str) -> None:
    for column in ("run_s", "submitted_s", "copy_in_s", "start_s", "copy_out_s"):
        columns = ("run_s", "60") if column != "run_s" else ("units", "1")
        assert f"jobs line 2: {column}" in jobs_error(tmp_path, f"{column},{columns[0]}\n{time},{columns[1]}\n")
    event = f'[[events]]\nat_s = {time}\nhost = "gpu-001"\nwhat = "lost"\n'
    assert "at_s" in fleet_error(tmp_path, FLEET + event)
    with pytest.raises(InvalidInput, match="until_hours"):
        parse_order(f'{{"until_hours": {time.replace("inf", "Infinity").replace("nan", "NaN")}}}')
