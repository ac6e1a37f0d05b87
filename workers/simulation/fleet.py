"""The fleet that is simulated, from its TOML file.

[[hosts]]
name = "gpu"            # one host of this name; with a count gpu-001, gpu-002, ...
count = 100
units = { v100s = 8 }   # flavors of the site's catalogue
max_jobs = 16           # jobs at once, copies included; as host.max_jobs in the settings if left out

[[events]]              # what happens to hosts
at_s = 3600             # seconds after the beginning
host = "gpu-003"
what = "lost"           # its machine goes down with all that runs there; or "back", "cordon", "drain", "uncordon"
within_s = 600          # of a drain: what still runs then is evicted; as long as it takes if left out

[quotas.vision]         # of projects, as `aitrain quota set`
gpu = 16
"""

from __future__ import annotations

import tomllib
from collections.abc import Collection
from enum import StrEnum
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field

from aitrain.domain.errors import InvalidInput, Problem
from aitrain.domain.flavor import Kind, Slug
from workers.simulation.files import Seconds, checked, read_text


class What(StrEnum):
    """What may happen to a host."""

    LOST = "lost"
    BACK = "back"
    CORDON = "cordon"
    DRAIN = "drain"
    UNCORDON = "uncordon"


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Hosts(_Part):
    """Hosts that are alike. count None: one, with this very name."""

    name: Slug
    count: int | None = Field(default=None, ge=1, le=100_000)
    units: dict[Slug, int] = Field(min_length=1)
    max_jobs: int | None = Field(default=None, ge=1)

    @property
    def names(self) -> list[str]:
        """One for each."""
        return [self.name] if self.count is None else [f"{self.name}-{n:03}" for n in range(1, self.count + 1)]


class Event(_Part):
    """Something that happens to a host, so many seconds after the beginning. within_s: of a drain."""

    at_s: Seconds
    host: str
    what: What
    within_s: float | None = Field(default=None, ge=0)


class Fleet(_Part):
    """All of it. quotas: project -> kind -> most units at once."""

    hosts: tuple[Hosts, ...] = Field(min_length=1)
    events: tuple[Event, ...] = ()
    quotas: dict[Slug, dict[Kind, int]] = Field(default_factory=dict)

    def capacity(self) -> dict[str, int]:
        """The most units of each flavor that one host has."""
        most: dict[str, int] = {}
        for hosts in self.hosts:
            for flavor, units in hosts.units.items():
                most[flavor] = max(units, most.get(flavor, 0))
        return most


def read_fleet(path: Path, flavors: Collection[str]) -> Fleet:
    """A fleet from its file. flavors: of the site's catalogue. Raises InvalidInput with everything that is wrong."""
    try:
        values = tomllib.loads(read_text("fleet", path))
    except tomllib.TOMLDecodeError as error:
        raise InvalidInput.of("fleet", path, f"is not TOML ({error})", "correct it there") from None
    fleet = checked(Fleet, values, "fleet: ")
    problems = [problem for number, hosts in enumerate(fleet.hosts) for problem in _units(number, hosts, flavors)]
    names = [name for hosts in fleet.hosts for name in hosts.names]
    problems += [
        Problem("fleet: hosts", name, "is the name of two hosts", "give each its own")
        for name in sorted({name for name in names if names.count(name) > 1} if len(set(names)) < len(names) else ())
    ]
    known = set(names)
    problems += [
        Problem(
            f"fleet: events[{number}].host", event.host, "is no host of this fleet", f"name one, such as {names[0]}"
        )
        for number, event in enumerate(fleet.events)
        if event.host not in known
    ]
    if problems:
        raise InvalidInput(problems)
    return fleet


def _units(number: int, hosts: Hosts, flavors: Collection[str]) -> list[Problem]:
    where, problems = f"fleet: hosts[{number}].units", []
    for flavor, units in hosts.units.items():
        if flavor not in flavors:
            remedy = f"use one of: {', '.join(sorted(flavors))}, or add it to the flavors of the settings"
            problems.append(Problem(where, flavor, "is not a flavor of this site", remedy))
        if units < 1:
            problems.append(Problem(f"{where}.{flavor}", str(units), "is no number of units", "give at least 1"))
    return problems
