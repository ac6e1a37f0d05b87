"""One simulation: a list of jobs on a fleet under a policy, in virtual time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from uuid import UUID

from aitrain.domain.admission import Admitted, admit
from aitrain.domain.errors import InvalidInput, QuotaExceeded
from aitrain.domain.job import Job
from aitrain.domain.quota import QuotaKind
from aitrain.domain.spec import JobSpec
from aitrain.settings import HostSettings, Settings
from aitrain.store import Store
from workers.simulation.fleet import Event, Fleet, What
from workers.simulation.host import SimulatedHost
from workers.simulation.joblist import ListedJob
from workers.simulation.site import Site
from workers.simulation.timeline import BEGIN_MS, Timeline
from workers.simulation.worker import ms

# Jobs that are read at once at the end.
BATCH = 500
# Beat's placement comes so long after something happened. It is there for what others missed, and nothing is
# missed here, but for what only time changes, such as the patience of a job.
SWEEP_MS = 300_000
# Jobs submitted or ended between two words on how far it is.
TELL_EVERY = 50
# Called with how many jobs of the list are submitted, and how many have ended.
Watch = Callable[[int, int], None]
NOBODY: Watch = lambda submitted, ended: None  # noqa: E731


@dataclass
class Replay:
    """What came of a simulation.

    jobs: as the store has them at the end, by the number in the list; refused: number -> why; up: of each host, from
    when to when it was there, Unix ms; begin_ms, end_ms: of the simulation.
    """

    jobs: dict[int, Job]
    refused: dict[int, str]
    up: dict[str, list[tuple[int, int]]]
    begin_ms: int
    end_ms: int


@dataclass
class Simulation:
    """The parts of one. until_s: ends then, though jobs may be left; None: when nothing happens any more."""

    settings: Settings
    redis_url: str
    fleet: Fleet
    listed: Sequence[ListedJob]
    data_dir: Path
    until_s: float | None = None
    watch: Watch = NOBODY
    _admitted: dict[ListedJob, Admitted] = field(default_factory=dict)

    def run(self) -> Replay:
        """Replays the list. Raises InvalidInput if a job of it is none that this site could have."""
        timeline = Timeline()
        timing = self.settings.timing
        store = Store(
            self.redis_url,
            namespace=self.settings.namespace,
            grace_ms=ms(timing.message_grace_seconds),
            half_life_ms=ms(timing.fair_share_half_life_seconds),
            clock_ms=lambda: timeline.now_ms,
        )
        try:
            return self._replay(Site(self.settings, store, timeline))
        finally:
            store.close()

    def _replay(self, site: Site) -> Replay:
        timeline, refused = site.timeline, dict[int, str]()
        for project, limits in self.fleet.quotas.items():
            for kind, limit in limits.items():
                site.store.set_quota(project, QuotaKind(kind), limit)
        hosts = self._hosts(site)
        up = {name: [BEGIN_MS] for name in hosts}
        for event in self.fleet.events:
            happen = partial(self._happen, timeline, hosts[event.host], up[event.host], event)
            timeline.at(BEGIN_MS + ms(event.at_s), happen)
        for number, listed in sorted(enumerate(self.listed), key=lambda item: item[1].submitted_s):
            submit = partial(self._submit, site, number, listed, refused)
            timeline.at(BEGIN_MS + ms(listed.submitted_s), submit)
        self._pass_time(site)
        if self.until_s is not None:
            _bill_what_runs(list(hosts.values()))
        end_ms = timeline.now_ms
        marks = {name: [*times, end_ms] if len(times) % 2 else times for name, times in up.items()}
        return Replay(
            jobs=self._read(site),
            refused=refused,
            up={name: list(zip(times[::2], times[1::2], strict=True)) for name, times in marks.items()},
            begin_ms=BEGIN_MS,
            end_ms=end_ms,
        )

    def _hosts(self, site: Site) -> dict[str, SimulatedHost]:
        hosts = {}
        for alike in self.fleet.hosts:
            for name in alike.names:
                settings = HostSettings(
                    name=name, units=dict(alike.units), max_jobs=alike.max_jobs, data_dir=self.data_dir
                )
                hosts[name] = SimulatedHost(site, settings)
        for host in hosts.values():
            site.timeline.after(0, host.join)
        return hosts

    @staticmethod
    def _happen(timeline: Timeline, host: SimulatedHost, up: list[int], event: Event) -> None:
        there = len(up) % 2 == 1
        match event.what:
            case What.LOST if there:
                host.lose()
                up.append(timeline.now_ms)
            case What.BACK if not there:
                host.come_back()
                up.append(timeline.now_ms)
            case What.CORDON:
                host.cordon()
            case What.DRAIN:
                host.drain(event.within_s)
            case What.UNCORDON:
                host.uncordon()

    def _submit(self, site: Site, number: int, listed: ListedJob, refused: dict[int, str]) -> None:
        # Ids in the order of the list, so that jobs of the same moment wait in that order, every time.
        job_id = str(UUID(int=number + 1, version=4))
        try:
            admitted = self._admit(site, listed)
            submitted = site.store.submit(job_id, admitted)
        except (InvalidInput, QuotaExceeded) as error:
            refused[number] = str(error)
            return
        site.jobs[job_id] = listed
        if submitted.may_start:
            site.dispatcher.place_waiting()

    def _admit(self, site: Site, listed: ListedJob) -> Admitted:
        """What the site makes of a job. Jobs that ask for the same are worked out once."""
        asks = listed.model_copy(update=dict.fromkeys(("submitted_s", "copy_in_s", "start_s", "copy_out_s"), 0.0))
        asks = asks.model_copy(update={"run_s": 1.0, "exit_code": 0})
        if asks not in self._admitted:
            flavor = self.settings.flavors.get(listed.flavor) if listed.flavor else None
            kind = "gpu" if flavor is None else flavor.kind.value
            spec = JobSpec.of(
                image="simulated", name="simulated", project=listed.project, timeout=listed.timeout_s,
                resources={kind: listed.units, **({"flavor": listed.flavor} if listed.flavor else {})},
                priority=listed.priority,
            )  # fmt: skip
            self._admitted[asks] = admit(spec, site.settings.site, site.store.project_terms(listed.project))
        return self._admitted[asks]

    def _pass_time(self, site: Site) -> None:
        """Event after event, and now and then beat's placement."""
        timeline, told = site.timeline, 0
        last_ms = None if self.until_s is None else BEGIN_MS + ms(self.until_s)
        due_ms: int | None = None
        while True:
            next_ms = timeline.next_ms
            sweeps = due_ms is not None and (next_ms is None or next_ms > due_ms)
            at_ms = due_ms if sweeps else next_ms
            if at_ms is None or (last_ms is not None and at_ms > last_ms):
                break
            if sweeps:
                timeline.now_ms, due_ms = at_ms, None
                site.dispatcher.place_waiting()
                continue
            timeline.step()
            if due_ms is None:
                due_ms = at_ms + SWEEP_MS
            if len(site.jobs) + site.ended - told >= TELL_EVERY:
                told = len(site.jobs) + site.ended
                self.watch(len(site.jobs), site.ended)
        if last_ms is not None:
            timeline.now_ms = last_ms

    def _read(self, site: Site) -> dict[int, Job]:
        ids = list(site.jobs)
        held = [job for first in range(0, len(ids), BATCH) for job in site.store.get_many(ids[first : first + BATCH])]
        return {(UUID(job.id).int & 0xFFFF_FFFF) - 1: job for job in held}


def _bill_what_runs(hosts: Sequence[SimulatedHost]) -> None:
    """The minutes so far of what was cut short: every host tells how long its jobs ran, then they are billed."""
    for host in hosts:
        host.beat()
    hosts[0].bill_minutes()
