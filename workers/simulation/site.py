"""What all hosts of a simulation share, and what each real part of the fleet finds in the place of its machine."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from aitrain.dispatch import Dispatcher
from aitrain.domain.states import Step
from aitrain.settings import HostSettings, Settings
from aitrain.store import HostTiming, Store
from workers.agent.errands import Errands
from workers.clock import Instant
from workers.machine import Machine
from workers.runtime import Container, Engine
from workers.simulation.joblist import ListedJob
from workers.simulation.messages import Messages
from workers.simulation.timeline import Timeline
from workers.stopwatch import Stopwatch

# While a host is up it would renew its lease every second. One renewal for years, taken back when it is lost, is the
# same to the store, and costs nothing in between.
FOR_YEARS_MS = 10 * 365 * 86_400_000


@dataclass
class Site:
    """A simulated site. jobs: what each job of the list is, by its id; takers: the hosts' workers, by name; ended: jobs
    that a host brought to their end.
    """

    settings: Settings
    store: Store
    timeline: Timeline
    jobs: dict[str, ListedJob] = field(default_factory=dict)
    takers: dict[str, Callable[[Step, str, str], None]] = field(default_factory=dict)
    ended: int = 0

    def __post_init__(self) -> None:
        self.broker = Messages(self.timeline, self.takers)
        self.dispatcher = Dispatcher(self.settings, self.store, self.broker)

    def place_when_due(self, job_id: str) -> None:
        """Has a job that waits for its retry placed when its time has come, as some host's heartbeat would."""
        for job in self.store.get_many([job_id]):
            if job.not_before_ms is not None:
                self.timeline.at(job.not_before_ms, self._place)

    def _place(self) -> None:
        self.dispatcher.place_waiting()


class SimulatedMachine(Machine):
    """A machine of a simulated site. instance: it has no disk to keep it on."""

    def __init__(self, site: Site, host: HostSettings, engine: Engine) -> None:
        super().__init__(site.settings.model_copy(update={"host": host}))
        self.store = site.store
        self.broker = site.broker
        self.dispatcher = site.dispatcher
        self.engine = engine
        self.stopwatch = SimulatedStopwatch(site.timeline)
        self.instance = f"simulated-{host.name}"

    @property
    def living(self) -> HostTiming:
        """How the store is to judge the host while it is up."""
        return HostTiming(FOR_YEARS_MS, FOR_YEARS_MS)


class SimulatedStopwatch(Stopwatch):
    """Clocks of a simulation never leap, and the engine's is the machine's own."""

    def __init__(self, timeline: Timeline) -> None:
        self._timeline = timeline

    def age_ms(self, container: Container, at: Instant | None = None) -> int:
        """By the timeline."""
        now_ms = self._timeline.now_ms
        return now_ms - (container.started_ms or now_ms)

    def ran_ms(self, container: Container, seen_ms: int) -> int:
        """By the engine."""
        return (container.finished_ms or 0) - (container.started_ms or 0)


class AtOnce(Errands):
    """Errands that are run where they are put: there is no broker to wait for."""

    def __init__(self) -> None:
        pass

    def put(self, what: str, errand: Callable[[], object]) -> None:
        """Runs it."""
        errand()
