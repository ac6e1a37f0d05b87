"""Small simulations whose every moment is known."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest

from aitrain.domain.billing import amount
from aitrain.domain.job import Job
from aitrain.domain.states import EndCause, State
from aitrain.settings import Settings
from aitrain.store import Store
from workers.scratch.servers import RedisServer
from workers.simulation.figures import Figures, figures
from workers.simulation.fleet import Event, Fleet, Hosts, What
from workers.simulation.joblist import ListedJob, read_jobs
from workers.simulation.sample import sample
from workers.simulation.simulation import Replay, Simulation
from workers.simulation.timeline import BEGIN_MS


class Site:
    """Simulates on a namespace of its own."""

    def __init__(self, redis: RedisServer, namespace: str, directory: Path) -> None:
        self.redis, self.directory = redis, directory
        self.settings = Settings(namespace=namespace)

    def replay(self, fleet: Fleet, jobs: list[ListedJob], until_s: float | None = None) -> tuple[Replay, Figures]:
        """What came of it, and the report."""
        replay = Simulation(self.settings, self.redis.url, fleet, jobs, self.directory, until_s).run()
        return replay, figures(replay, jobs, fleet, self.settings, {})


@pytest.fixture
def site(redis: RedisServer, namespace: str, tmp_path: Path) -> Site:
    return Site(redis, namespace, tmp_path)


def hosts(units: int, *names: str) -> Fleet:
    return Fleet(hosts=tuple(Hosts(name=name, units={"v100s": units}) for name in names))


def moments(job: Job, state: State) -> list[float]:
    """When a job came to a state, in seconds after the beginning."""
    return [(entry.at_ms - BEGIN_MS) / 1000 for entry in job.history if entry.state is state]


def test_jobs_of_one_unit_run_one_after_another_in_the_order_they_came(site: Site) -> None:
    # Given a host with one unit, and three jobs of a minute that come at once, with copies
    jobs = [ListedJob(submitted_s=n, run_s=60, copy_in_s=20, start_s=5, copy_out_s=30) for n in range(3)]

    replay, report = site.replay(hosts(1, "h1"), jobs)

    # then each gets the unit when the one before it has ended, while that one's data is still copied back
    placed = [moments(replay.jobs[n], State.INITIALIZING) for n in range(3)]
    assert placed == [[0], [85], [170]]
    assert [moments(replay.jobs[n], State.DONE) for n in range(3)] == [[115], [200], [285]]
    assert report.makespan_s == 285
    assert (report.total.wait_s.p50, report.total.wait_s.max) == (84, 168)
    flavor = report.flavors["v100s"]
    assert (flavor.ended, flavor.never_started, flavor.longest_queue) == ({"DONE": 3}, 0, 2)
    assert flavor.use == round(3 * 85 / 285, 4)
    # The third took 283 s for a run of 60.
    assert report.total.slowdown.max == round(283 / 60, 3)


def test_the_jobs_of_a_lost_host_run_again_elsewhere(site: Site) -> None:
    fleet = hosts(1, "a", "b").model_copy(update={"events": (Event(at_s=600, host="a", what=What.LOST),)})

    replay, report = site.replay(fleet, [ListedJob(run_s=3000)])

    # It is taken for lost 690 s after its last word (600 + 30 + 60), and the retry waits for 10 s.
    job = replay.jobs[0]
    assert moments(job, State.RUNNING) == [0, 1300]
    assert (job.state, job.attempt, job.host, moments(job, State.DONE)) == (State.DONE, 2, "b", [4300])
    first = job.earlier_attempts[0]
    assert (first.cause, first.host, first.minutes) == (EndCause.HOST_LOST, "a", 10)
    # Ten minutes until the loss and fifty after it are billed.
    assert Decimal(report.total.cost) == Decimal("1.93")
    # What it held of a lost host is no use.
    assert report.total.unit_hours == round(3600 / 3600, 3)
    assert report.flavors["v100s"].offered_hours == round((600 + 4300) / 3600, 3)


def test_a_host_that_is_back_soon_goes_on_with_what_was_left(site: Site) -> None:
    events = (Event(at_s=100, host="a", what=What.LOST), Event(at_s=160, host="a", what=What.BACK))
    fleet = Fleet(hosts=(Hosts(name="a", units={"v100s": 2}),), events=events)
    # Given a job that runs and one whose data is copied when the machine goes down
    jobs = [ListedJob(run_s=300), ListedJob(run_s=60, copy_in_s=150)]

    replay, _ = site.replay(fleet, jobs)

    ran, copied = replay.jobs[0], replay.jobs[1]
    assert ran.earlier_attempts[0].cause is EndCause.ENGINE_RESTARTED
    assert (ran.state, ran.attempt) == (State.DONE, 2)
    # The copy begins anew when its lease has lapsed and its message was sent again: 15 + 10 s.
    assert (copied.state, copied.attempt, moments(copied, State.PENDING)) == (State.DONE, 1, [160 + 25 + 150])


def test_a_drained_host_is_empty_in_time_and_its_jobs_go_on_elsewhere(site: Site) -> None:
    # Given two hosts, the first of which is drained within 50 s while a job runs there and two others are being started
    events = (Event(at_s=100, host="a", what=What.DRAIN, within_s=50), Event(at_s=1000, host="a", what=What.UNCORDON))
    fleet = Fleet(hosts=(Hosts(name="a", units={"v100s": 3}), Hosts(name="b", units={"v100s": 4})), events=events)
    runs = ListedJob(run_s=500, copy_out_s=10)
    copies = ListedJob(submitted_s=90, run_s=500, copy_in_s=300)
    starts = ListedJob(submitted_s=90, run_s=500, start_s=100)
    later = ListedJob(submitted_s=120, run_s=20)

    replay, _ = site.replay(fleet, [runs, copies, starts, later])

    # then nothing new comes there, what runs is stopped, copied back and begins anew, and what had not run goes at once
    ran, copied, started, last = (replay.jobs[n] for n in range(4))
    assert [job.host for job in (ran, copied, started, last)] == ["b"] * 4
    assert all(job.state is State.DONE for job in (ran, copied, started, last))
    assert (moments(ran, State.INTERRUPTING), moments(ran, State.RUNNING)) == ([150], [0, 160])
    assert ran.earlier_attempts[0].cause is EndCause.EVICTED
    assert ran.earlier_attempts[0].minutes == 3
    assert moments(copied, State.INITIALIZING) == [90, 150]
    # A start that is under way is given up at its end.
    assert moments(started, State.INITIALIZING) == [90, 190]


def test_a_timeout_is_reached_and_a_command_fails(site: Site) -> None:
    jobs = [ListedJob(run_s=7200, timeout_s=3600), ListedJob(run_s=60, exit_code=3)]
    replay, report = site.replay(hosts(4, "h1"), jobs)
    timed_out, failed = replay.jobs[0], replay.jobs[1]
    assert (timed_out.state, timed_out.end_cause) == (State.INTERRUPTED, EndCause.TIMED_OUT)
    assert moments(timed_out, State.TIMEOUT) == [3600]
    assert timed_out.billed_minutes == 60
    assert (failed.state, failed.exit_code) == (State.FAILED, 3)
    assert report.total.ended == {"FAILED": 1, "INTERRUPTED": 1}


def test_jobs_that_never_start_are_told_with_their_reason(site: Site) -> None:
    jobs = [ListedJob(run_s=60, units=4), ListedJob(run_s=60, units=9), ListedJob(run_s=60, flavor="h100")]
    replay, report = site.replay(hosts(2, "h1"), jobs)
    assert [(waiting.why, waiting.first) for waiting in report.never_started] == [
        ("no host of the fleet has 1 x h100: none offers the flavor", (3,)),
        ("no host of the fleet has 4 x v100s: the largest has 2", (1,)),
    ]
    assert list(replay.refused) == [1]
    assert "is more than one job may have" in next(iter(report.refused))


def test_a_simulation_that_is_ended_early_tells_what_still_waits(site: Site) -> None:
    _, report = site.replay(hosts(1, "h1"), [ListedJob(run_s=1000), ListedJob(run_s=1000)], until_s=500)
    assert report.makespan_s == 500
    assert report.total.unit_hours == round(500 / 3600, 3)
    assert [waiting.why for waiting in report.never_started] == [
        "it still waited for 1 x v100s when the simulation ended"
    ]


def test_the_same_input_gives_the_same_report_and_the_bill_of_the_ledger(
    site: Site, redis: RedisServer, tmp_path: Path
) -> None:
    (tmp_path / "jobs.csv").write_text(sample(60, 3, 0.1))
    jobs = read_jobs(tmp_path / "jobs.csv", site.settings.flavors)
    fleet = hosts(4, "a", "b").model_copy(update={"events": (Event(at_s=3000, host="a", what=What.LOST),)})

    _, report = site.replay(fleet, jobs)
    other = Site(redis, f"{site.settings.namespace}-2", tmp_path)
    _, again = other.replay(fleet, jobs)

    assert report == again
    store = Store(redis.url, namespace=site.settings.namespace)
    for project, group in report.projects.items():
        assert Decimal(group.cost) == amount(store.ledger_lines(project))
    store.close()
