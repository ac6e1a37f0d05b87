"""What every process of the fleet stands on: settings, job store, broker, engine. Each is made when first used."""

from __future__ import annotations

import importlib.metadata
import os
import time
import uuid
from contextlib import suppress
from functools import cached_property

from aitrain.broker import Broker
from aitrain.buckets.connection import trust
from aitrain.client import open_store
from aitrain.dispatch import Dispatcher
from aitrain.domain.errors import InvalidInput
from aitrain.settings import Settings, load_settings
from aitrain.signing import Signer
from aitrain.store import HostTiming, Store
from aitrain.vault import PrivateKey, Vault, own_key
from workers.cachequotas import HostCacheQuotas
from workers.datasync import MIB, Allowance, Cache, Disk, Room
from workers.runtime import Engine
from workers.stopwatch import Stopwatch


class Machine:
    """The parts of one process."""

    def __init__(self, settings: Settings | None = None) -> None:
        self.settings = settings or load_settings()
        trust(self.settings.ca_of_data_stores)

    @cached_property
    def store(self) -> Store:
        """The job store."""
        return open_store(self.settings)

    @cached_property
    def version(self) -> str:
        """Of aitrain, as it is installed."""
        return importlib.metadata.version("aitrain")

    @cached_property
    def vault(self) -> Vault:
        """Opens what is sealed for the site, of control workers; that of others opens nothing. Raises InvalidInput."""
        return Vault.of(self.settings.secrets.key_file)

    @cached_property
    def host_key(self) -> PrivateKey:
        """Opens what is sealed for this host: a key that is made once and kept in its data directory.

        Raises InvalidInput if the directory cannot be written.
        """
        self.settings.host.data_dir.mkdir(parents=True, exist_ok=True)
        return own_key(self.settings.host.data_dir / "host.key")

    @cached_property
    def signer(self) -> Signer | None:
        """Signs receipts; None: the site makes none, or this is no control worker. Raises InvalidInput."""
        path = self.settings.receipts.key_file
        return Signer.of(path) if path else None

    @cached_property
    def broker(self) -> Broker:
        """The sender of messages."""
        return Broker(self.settings)

    @cached_property
    def dispatcher(self) -> Dispatcher:
        """Brings waiting jobs and free units together."""
        return Dispatcher(self.settings, self.store, self.broker)

    @cached_property
    def instance(self) -> str:
        """Which machine this is, whatever it calls itself: an id that is made once and kept in its data directory.

        Worker and agent start at the same moment, so whoever comes second reads what the first one wrote. Raises
        InvalidInput if the directory cannot be written.
        """
        directory = self.settings.host.data_dir
        try:
            directory.mkdir(parents=True, exist_ok=True)
            with suppress(FileExistsError):
                made = directory / f"instance.{uuid.uuid4().hex}"
                made.write_text(uuid.uuid4().hex)
                try:
                    os.link(made, directory / "instance")
                finally:
                    made.unlink()
            return (directory / "instance").read_text()
        except OSError as error:
            raise InvalidInput.of(
                "host.data_dir", directory, f"cannot be used ({error})", "name a writable one"
            ) from error

    def pause(self, seconds: float) -> None:
        """Waits for what another process does."""
        time.sleep(seconds)

    @property
    def host_timing(self) -> HostTiming:
        """How the store is to judge this host, by its own settings: others may have other ones."""
        timing = self.settings.timing
        return HostTiming(int(timing.host_lease_seconds * 1000), int(timing.host_lost_seconds * 1000))

    @cached_property
    def disk(self) -> Disk:
        """What the volumes on this host share."""
        host = self.settings.host
        cache = Cache(host.data_dir)
        room = Room(host.data_dir, host.disk_reserve_mib * MIB, cache.make_room)
        return Disk(room, cache, Allowance(cache, HostCacheQuotas(self.store, host.name)))

    @cached_property
    def stopwatch(self) -> Stopwatch:
        """Times this host's containers."""
        return Stopwatch(self.settings.host.data_dir)

    @cached_property
    def engine(self) -> Engine:
        """The Docker Engine of this host."""
        return Engine(self.settings.host, self.settings.namespace)
