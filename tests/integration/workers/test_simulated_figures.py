"""Figures of tiny simulations, against what one reckons by hand."""

from __future__ import annotations

from decimal import Decimal

import pytest

from aitrain.domain.states import State
from aitrain.settings import Timing
from tests.integration.workers.test_simulation import Site, hosts, moments, site
from workers.simulation.joblist import ListedJob

__all__ = ["site"]

DAY = 86_400


def test_a_job_that_names_no_timeout_ends_at_that_of_the_site(site: Site) -> None:
    replay, report = site.replay(hosts(1, "h1"), [ListedJob(run_s=8 * DAY)])
    job = replay.jobs[0]
    assert moments(job, State.TIMEOUT) == [7 * DAY]
    assert job.state is State.INTERRUPTED
    assert report.total.unit_hours == 7 * 24


def test_a_simulation_that_is_cut_short_has_the_cost_so_far(site: Site) -> None:
    _, report = site.replay(hosts(1, "h1", "h2"), [ListedJob(run_s=10 * 3600)] * 2, until_s=2 * 3600)
    assert report.total.unit_hours == 4
    assert Decimal(report.total.cost) == Decimal("7.72"), "twice two hours at 1.93"


@pytest.mark.parametrize(("half_life_s", "first"), [(DAY, 3), (100, 2)])
def test_the_half_life_of_recent_use_is_that_of_the_policy(site: Site, half_life_s: float, first: int) -> None:
    # Given a project that used much until 2,000 s ago, one that used less until now, and a job of each that waits
    site.settings = site.settings.model_copy(update={"timing": Timing(fair_share_half_life_seconds=half_life_s)})
    jobs = [
        ListedJob(project="much", run_s=10_000),
        ListedJob(project="late", run_s=2000, submitted_s=1),
        ListedJob(project="much", run_s=60, submitted_s=11_000),
        ListedJob(project="late", run_s=60, submitted_s=11_000),
    ]

    replay, _ = site.replay(hosts(1, "h1"), jobs)

    # then the first has its turn only where use is soon forgotten
    assert moments(replay.jobs[first], State.RUNNING) == [12_000]
