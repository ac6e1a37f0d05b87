"""Flavors: the kinds of resource that are sold in whole units."""

from __future__ import annotations

import re
from collections.abc import Mapping
from decimal import Decimal
from enum import StrEnum
from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator


class Kind(StrEnum):
    """What a unit is. Quotas count per kind, and queue names begin with it."""

    GPU = "gpu"
    CPU = "cpu"


# A name that stands in queue names, labels and keys: a DNS label (RFC 1123), so it needs no quoting anywhere.
SLUG = re.compile(r"^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$")
SLUG_REMEDY = "use up to 63 lower-case letters, digits and hyphens, a letter or digit first and last"
Slug = Annotated[str, StringConstraints(pattern=SLUG.pattern)]


class Flavor(BaseModel):
    """One GPU (or one CPU) with its fixed share of the host, and its price. Everything scales with the units.

    kind: gpu or cpu. brand, model, gpu_memory_gib: by these a GPU that a host finds is known to be of the flavor (see
    flavor_of in workers/gpus/offer.py); without a model none is, and hosts declare what they offer of it. cpu:
    processors a unit; memory_gib, shm_gib: GiB a unit; disk_gib: GiB of the host's disk a unit, 0 if none is set aside:
    `aitrain doctor` checks that the disk has what the units on offer promise, the engine does not hold a job to it;
    max_units: most units in one job; hourly_price: price of one unit for one hour, in the site's currency; default:
    what a job gets that names no flavor, at most one of each kind.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Kind
    brand: str = ""
    model: str = ""
    gpu_memory_gib: int = Field(default=0, ge=0)
    cpu: Decimal = Field(gt=0)
    memory_gib: Decimal = Field(gt=0)
    disk_gib: Decimal = Field(default=Decimal(0), ge=0)
    shm_gib: Decimal = Field(default=Decimal("0.0625"), gt=0)
    max_units: int = Field(default=4, ge=1)
    # Six places, and so many digits, are summed exactly in 64 bits (store/lua/shared/ledger.lua).
    hourly_price: Decimal = Field(ge=0, le=100_000, decimal_places=6)
    default: bool = False

    @model_validator(mode="after")
    def _no_gpu_without_one(self) -> Self:
        if self.kind is Kind.CPU and (self.brand or self.model or self.gpu_memory_gib):
            raise ValueError("is of kind cpu and has brand, model or gpu_memory_gib: leave them out, or make it a gpu")
        return self


def catalogue_problem(flavors: Mapping[str, Flavor]) -> str:
    """What is wrong with a catalogue as a whole; "" if nothing is."""
    if not flavors:
        return "names no flavor: give at least one, or leave the part out for the built-in ones"
    for kind in Kind:
        defaults = sorted(name for name, flavor in flavors.items() if flavor.kind is kind and flavor.default)
        if len(defaults) > 1:
            return f"{', '.join(defaults)} are all the default of kind {kind}: leave it with one of them"
    return ""


# Shares, prices and limits follow OVHcloud's public AI Training offer, so that a first bill looks familiar.
BUILT_IN: dict[str, Flavor] = {
    "v100s": Flavor(
        kind=Kind.GPU,
        brand="NVIDIA",
        model="V100S",
        gpu_memory_gib=32,
        cpu=Decimal(13),
        memory_gib=Decimal(40),
        shm_gib=Decimal(8),
        hourly_price=Decimal("1.93"),
        default=True,
    ),
    "h100": Flavor(
        kind=Kind.GPU,
        brand="NVIDIA",
        model="H100",
        gpu_memory_gib=80,
        cpu=Decimal(28),
        memory_gib=Decimal(350),
        shm_gib=Decimal(64),
        hourly_price=Decimal("2.80"),
    ),
    "cpu": Flavor(
        kind=Kind.CPU,
        cpu=Decimal(1),
        memory_gib=Decimal(4),
        max_units=12,
        hourly_price=Decimal("0.03"),
        default=True,
    ),
}
