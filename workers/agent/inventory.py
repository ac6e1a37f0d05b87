"""What a host is and offers: what its settings declare, and what its agent found."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field

from aitrain.domain.errors import InvalidInput
from aitrain.domain.flavor import Kind
from aitrain.settings import Settings
from workers.gpus import Gpu, Look, look
from workers.gpus.health import Faults
from workers.gpus.offer import Offer, gpu_units, may_offer, offer


def check_inventory(settings: Settings) -> None:
    """Checks what a host's settings promise.

    Raises InvalidInput if the host has no name, offers nothing, a flavor that the catalogue does not have, or a GPU in
    two flavors, or if it is to find GPUs and cannot.
    """
    host = settings.host
    if "name" not in host.model_fields_set:
        raise InvalidInput.of(
            "host.name", "", "is not set", "give this host a name of its own, as in AITRAIN_HOST__NAME=gpu-01"
        )
    for flavor in host.units:
        if flavor not in settings.flavors:
            known = ", ".join(sorted(settings.flavors))
            raise InvalidInput.of("host.units", flavor, "is not a flavor of this site", f"use one of: {known}")
    _check_ids(settings)
    if host.inventory == "nvml":
        _check_finding(settings)
    if not may_offer(settings):
        raise InvalidInput.of(
            "host.units", "", "is empty", "say what this host offers, as in AITRAIN_HOST__UNITS='{\"cpu\": 4}'"
        )


def _check_ids(settings: Settings) -> None:
    """Whether a GPU is offered as a unit of two flavors: two jobs would get it."""
    flavor_of: dict[str, str] = {}
    for flavor, ids in gpu_units(settings, settings.host.unit_ids).items():
        for unit in ids:
            if unit in flavor_of:
                raise InvalidInput.of(
                    "host.units", unit, f"is offered as {flavor_of[unit]} and as {flavor}: two jobs would get it",
                    "give each flavor ids of its own, as `nvidia-smi -L` shows them; a number of units counts from 0",
                )  # fmt: skip
            flavor_of[unit] = flavor


def _check_finding(settings: Settings) -> None:
    """Whether a host can find GPUs."""
    for flavor in settings.host.units:
        of_units = settings.flavors[flavor]
        if of_units.kind is Kind.GPU and of_units.model:
            raise InvalidInput.of(
                "host.units", flavor, "is found by its model, since host.inventory is nvml",
                "leave it out, or set host.inventory to declared",
            )  # fmt: skip
    if not settings.timing.gpu_look_seconds:
        raise InvalidInput.of(
            "timing.gpu_look_seconds", 0, "lets nobody look for GPUs, and host.inventory is nvml",
            "give a period, or set host.inventory to declared",
        )  # fmt: skip
    if look().absent:
        raise InvalidInput.of(
            "host.inventory", "nvml", "needs the NVIDIA driver, and libnvidia-ml.so.1 is not on this machine",
            "install the driver, or declare what this host offers in host.units",
        )  # fmt: skip


@dataclass(frozen=True)
class Stock:
    """What a host offers, and what of it is unfit for a job; faults None: nobody has looked yet."""

    offer: Offer
    faults: Faults | None = None


@dataclass
class Inventory:
    """What this host offers, as far as its agent knows. One loop finds it out, another tells the store.

    stock: replaced as a whole; looked: set once it has been found out.
    """

    settings: Settings
    looked: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        self.stock = Stock(offer(self.settings, ()))
        self._known: dict[str, Gpu] = {}
        if not self.to_be_looked_at:
            # What was found while somebody looked must not stand for ever.
            self.stock = Stock(self.stock.offer, faults={})
            self.looked.set()

    @property
    def to_be_looked_at(self) -> bool:
        """Whether this host has or may find GPUs, and they are to be looked at."""
        kinds = {self.settings.flavors[flavor].kind for flavor in may_offer(self.settings)}
        return Kind.GPU in kinds and self.settings.timing.gpu_look_seconds > 0

    def found(self, looked: Look) -> Offer:
        """What the host offers after a look. A GPU that is gone stays on offer, so that it is seen to be set aside."""
        for gpu in looked.gpus:
            if gpu.uuid not in self._known or (gpu.model and gpu.memory_mib):  # a sick one does not say what it is
                self._known[gpu.uuid] = gpu
        return offer(self.settings, self._known.values())
