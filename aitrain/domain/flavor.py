"""Flavors: the kinds of resource that are sold in whole units."""

from __future__ import annotations

from decimal import Decimal
from enum import StrEnum
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, StringConstraints


class Kind(StrEnum):
    """What a unit is. Quotas count per kind, and queue names begin with it."""

    GPU = "gpu"
    CPU = "cpu"


# A name that stands in queue names, labels and keys: a DNS label (RFC 1123), so it needs no quoting anywhere.
Slug = Annotated[str, StringConstraints(pattern=r"^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$")]


class Flavor(BaseModel):
    """One GPU (or one CPU) with its fixed share of the host, and its price. Everything scales with the units.

    cpu: processors a unit; memory_gib, shm_gib: GiB a unit; max_units: most units in one job;
    hourly_price: price of one unit for one hour, in the site's currency.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Kind
    model: str = ""
    gpu_memory_gib: int = Field(default=0, ge=0)
    cpu: Decimal = Field(gt=0)
    memory_gib: Decimal = Field(gt=0)
    shm_gib: Decimal = Field(default=Decimal("0.0625"), gt=0)
    max_units: int = Field(default=4, ge=1)
    hourly_price: Decimal = Field(ge=0)
    default: bool = False


# Shares, prices and limits follow OVHcloud's public AI Training offer, so that a first bill looks familiar.
BUILT_IN: dict[str, Flavor] = {
    "v100s": Flavor(
        kind=Kind.GPU,
        model="NVIDIA Tesla V100S",
        gpu_memory_gib=32,
        cpu=Decimal(13),
        memory_gib=Decimal(40),
        shm_gib=Decimal(8),
        hourly_price=Decimal("1.93"),
        default=True,
    ),
    "h100": Flavor(
        kind=Kind.GPU,
        model="NVIDIA H100",
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
