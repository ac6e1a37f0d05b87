"""A simulated host: the agent's real decisions and reports over a simulated engine, and a simulated worker."""

from __future__ import annotations

from aitrain.domain.states import STATES, EndCause
from aitrain.settings import HostSettings
from aitrain.store import HostTiming, Seen
from workers import sweeps
from workers.agent.reconcile import Action, Do, reconcile
from workers.agent.reports import Reports
from workers.runtime import Container
from workers.simulation.engine import SimulatedEngine
from workers.simulation.site import AtOnce, SimulatedMachine, Site
from workers.simulation.worker import SimulatedWorker, ms
from workers.workspace import Workspace


class SimulatedHost:
    """One host. Its agent acts when something happens to it instead of every second."""

    def __init__(self, site: Site, settings: HostSettings) -> None:
        self._site, self.name = site, settings.name
        self._engine = SimulatedEngine(site.timeline, self._died)
        self._machine = SimulatedMachine(site, settings, self._engine)
        self._reports = Reports(self._machine, AtOnce())
        self._worker = SimulatedWorker(site, self._machine, self._engine, self.beat)
        self._up = False
        site.takers[self.name] = self._worker.take

    def join(self) -> None:
        """It starts: its units are there from now on."""
        host = self._machine.settings.host
        self._up = True
        awaited = self._machine.store.join_host(
            host.name,
            instance=self._machine.instance,
            units=host.unit_ids,
            max_jobs=host.most_jobs(sum(len(ids) for ids in host.unit_ids.values())),
            timing=self._machine.living,
        )
        if awaited:
            self._site.dispatcher.place_waiting()

    def beat(self) -> None:
        """One heartbeat, and what it has the agent do."""
        if self._up:
            self._beat(self._machine.living)

    def bill_minutes(self) -> None:
        """Beat's billing tick, which nothing needs while containers end by themselves."""
        sweeps.bill_minutes(self._machine)

    def lose(self) -> None:
        """Its machine goes down, right after a heartbeat: the last word that the store has of it."""
        if not self._up:
            return
        self._beat(self._machine.host_timing)
        self._up = False
        self._engine.crash()
        self._worker.lose()
        self._recover()

    def come_back(self) -> None:
        """Its machine is up again, with what the crash left."""
        if self._up:
            return
        self.join()
        self._worker.come_back()
        self.beat()

    def cordon(self) -> None:
        """It gets no more jobs."""
        self._machine.store.cordon(self.name)

    def drain(self, within_s: float | None) -> None:
        """It gets no more jobs, and those that it has are evicted after so many seconds; None: never."""
        self._machine.store.cordon(self.name, drain_ms=-1 if within_s is None else ms(within_s))
        if within_s is not None:
            self._site.timeline.after(ms(within_s), self.beat)

    def uncordon(self) -> None:
        """It gets jobs again."""
        if self._machine.store.uncordon(self.name):
            self._site.dispatcher.place_waiting()

    def _beat(self, timing: HostTiming) -> None:
        resend_ms = ms(self._machine.settings.timing.message_grace_seconds)
        heard = self._machine.store.heartbeat(
            self.name, instance=self._machine.instance, fit=True, seen=self._seen(), timing=timing, resend_ms=resend_ms
        )
        if heard is None:
            return
        if heard.place:
            self._site.dispatcher.place_waiting()
        for job in heard.jobs:
            step = STATES[job.state].step
            if job.resend and step is not None:
                self._reports.send(step, job)
        self._look()

    def _seen(self) -> list[Seen]:
        now_ms = self._site.timeline.now_ms
        return [
            Seen(container.job_id, container.fence, now_ms - (container.started_ms or now_ms))
            for container in self._engine.containers()
            if container.running
        ]

    def _died(self, container_id: str) -> None:
        container = self._engine.find(container_id)
        if self._up and container is not None:
            self._look(container)

    def _look(self, one: Container | None = None) -> None:
        """Compares the store with the engine, as agent/looking.py does: everything, or one container that ended."""
        found = self._engine.containers() if one is None else [one]
        store = self._machine.store
        wanted = store.host_jobs(self.name, "" if one is None else one.job_id, instance=self._machine.instance)
        if wanted is None:
            return
        strangers = {container.job_id for container in found} - {job.job_id for job in wanted}
        for action in reconcile(wanted, found, store.existing(sorted(strangers)) if strangers else ()):
            self._act(action)

    def _act(self, action: Action) -> None:
        job, container = action.job, action.container
        if container is None:
            if job is not None and action.do is Do.REPORT_LOST:
                self._reports.lost(job)
            elif job is not None and action.do is Do.NOTHING_RAN:
                self._reports.nothing_ran(job)
        elif action.do is Do.STOP:
            if job is not None and job.evicting:
                # As agent/acting.py does: of an eviction the agent says itself why the container ended.
                data_dir = self._machine.settings.host.data_dir
                Workspace(data_dir, job.job_id, job.fence).mark_ordered(EndCause.EVICTED)
            self._engine.stop(container, 0)
        elif action.do is Do.REMOVE:
            self._engine.remove(container)
        elif job is not None and action.do is Do.ADOPT:
            self._reports.running(job, container)
        elif job is not None and action.do is Do.REPORT_EXIT:
            self._reports.exited(job, container)

    def _recover(self) -> None:
        """Beat's sweep for lost hosts, again and again until this one has no job left, or is back."""
        if self._up:
            return
        store = self._machine.store
        before = store.host_jobs(self.name) or []
        sweeps.recover_lost_hosts(self._machine)
        for job in before:
            self._site.place_when_due(job.job_id)
        if store.host_jobs(self.name):
            self._site.timeline.after(ms(self._machine.settings.timing.sweep_seconds), self._recover)
