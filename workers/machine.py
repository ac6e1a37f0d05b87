"""What every process of the fleet stands on: settings, job store, broker, engine. Each is made when first used."""

from __future__ import annotations

from functools import cached_property

from aitrain.broker import Broker
from aitrain.client import open_store
from aitrain.dispatch import Dispatcher
from aitrain.settings import Settings, load_settings
from aitrain.store import Store
from workers.runtime import Engine


class Machine:
    """The parts of one process."""

    def __init__(self, settings: Settings | None = None) -> None:
        self.settings = settings or load_settings()

    @cached_property
    def store(self) -> Store:
        """The job store."""
        return open_store(self.settings)

    @cached_property
    def broker(self) -> Broker:
        """The sender of messages."""
        return Broker(self.settings)

    @cached_property
    def dispatcher(self) -> Dispatcher:
        """Brings waiting jobs and free units together."""
        return Dispatcher(self.settings, self.store, self.broker)

    @cached_property
    def engine(self) -> Engine:
        """The Docker Engine of this host."""
        return Engine(self.settings.host, self.settings.namespace)
