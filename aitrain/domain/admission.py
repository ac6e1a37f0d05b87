"""Admission: what a spec means at a site. Everything that can be known before the job is queued is checked here."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from decimal import Decimal

from aitrain.domain.errors import InvalidInput, Problem
from aitrain.domain.flavor import Flavor, Kind
from aitrain.domain.registry import SharedPaths
from aitrain.domain.spec import JobSpec, Resources

# Of a site that has no shared registry.
NOBODYS = SharedPaths()
# What a terminal acts on rather than shows.
CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")


@dataclass(frozen=True)
class Site:
    """What a site offers and allows.

    flavors: the catalogue by id; data_stores: aliases that every project knows; timeouts in seconds of RUNNING, 0 for
    none; platform_retries, warning_s, default_priority: of a job that does not say; max_priority: the highest that one
    may have; shared_registry: whose images of it are whose.
    """

    flavors: Mapping[str, Flavor]
    data_stores: Collection[str]
    default_timeout_s: int
    max_timeout_s: int
    platform_retries: int = 0
    warning_s: int = 0
    default_priority: int = 50
    max_priority: int = 100
    shared_registry: SharedPaths = NOBODYS


@dataclass(frozen=True)
class ProjectTerms:
    """What holds for one project beside what holds for its site.

    max_timeout_s: its longest timeout, in seconds, 0 for no limit; None: the site's; max_priority: the highest of its
    jobs, None: the site's; data_stores: aliases of its own.
    """

    max_timeout_s: int | None = None
    data_stores: Collection[str] = ()
    max_priority: int | None = None


@dataclass(frozen=True)
class Admitted:
    """A spec with everything settled that it left open."""

    spec: JobSpec
    flavor: str
    kind: Kind
    units: int
    hourly_price: Decimal
    timeout_s: int
    platform_retries: int
    warning_s: int
    priority: int = 50


def admit(spec: JobSpec, site: Site, terms: ProjectTerms | None = None) -> Admitted:
    """Settles what the spec leaves open.

    terms: of its project, None if it has none of its own. Raises InvalidInput with every problem that the site has with
    it.
    """
    terms = terms or ProjectTerms()
    known = {*site.data_stores, *terms.data_stores}
    problems: list[Problem] = []
    flavor_id, kind, units = _units(spec.resources, site, problems)
    shown = {"user": spec.user, **{f"volumes[{index}]": str(volume) for index, volume in enumerate(spec.volumes)}}
    problems += [
        Problem(field, text, "has control characters, and is shown on others' terminals", "remove them")
        for field, text in shown.items()
        if CONTROL.search(text)
    ]
    if (problem := site.shared_registry.problem(spec.image, spec.project)) is not None:
        problems.append(problem)
    for index, volume in enumerate(spec.volumes):
        if volume.alias and volume.alias not in known:
            problems.append(
                Problem(f"volumes[{index}].alias", volume.alias, "is not a data store of this site or project",
                        f"use one of: {_names(known)}, or add it with `aitrain datastore add`")
            )  # fmt: skip
    longest_s = site.max_timeout_s if terms.max_timeout_s is None else terms.max_timeout_s
    timeout_s = spec.timeout or default_timeout(site, longest_s)
    if (problem := timeout_problem(timeout_s, longest_s)) is not None:
        problems.append(problem)
    highest = site.max_priority if terms.max_priority is None else terms.max_priority
    if spec.priority is not None and spec.priority > highest:
        problems.append(
            Problem("priority", str(spec.priority), "is higher than the site or the project allows",
                    f"give at most {highest}, or have the project's limit raised")
        )  # fmt: skip
    if problems:
        raise InvalidInput(problems)
    return Admitted(
        spec,
        flavor_id,
        kind,
        units,
        site.flavors[flavor_id].hourly_price,
        timeout_s,
        site.platform_retries if spec.platform_retries is None else spec.platform_retries,
        site.warning_s if spec.warning_seconds is None else spec.warning_seconds,
        min(site.default_priority, highest) if spec.priority is None else spec.priority,
    )


def timeout_problem(timeout_s: int, longest_s: int) -> Problem | None:
    """What is wrong with a timeout where longest_s (0: no limit) is allowed, if anything is."""
    if longest_s and (timeout_s > longest_s or timeout_s == 0):
        return Problem(
            "timeout", str(timeout_s), "is longer than the site or the project allows",
            f"give at most {longest_s} seconds ({longest_s / 86400:g} days), or have the project's limit raised",
        )  # fmt: skip
    return None


def default_timeout(site: Site, longest_s: int) -> int:
    """The site's default, cut to what is allowed. 0, for none, only where there is no limit."""
    if not longest_s:
        return site.default_timeout_s
    return min(site.default_timeout_s or longest_s, longest_s)


def _units(resources: Resources, site: Site, problems: list[Problem]) -> tuple[str, Kind, int]:
    kind = Kind.CPU if resources.gpu is None and resources.cpu is not None else Kind.GPU
    units = (resources.cpu if kind is Kind.CPU else resources.gpu) or 1
    of_kind = [name for name, flavor in site.flavors.items() if flavor.kind is kind]
    default = next((name for name in of_kind if site.flavors[name].default), None)
    if resources.flavor is not None and resources.gpu is None and resources.cpu is None:
        named = site.flavors.get(resources.flavor)
        kind = named.kind if named is not None else kind
    flavor_id = resources.flavor or default
    if flavor_id is None:
        problems.append(
            Problem("resources.flavor", "", f"is absent, and this site has no default {kind} flavor",
                    f"name one of: {_names(of_kind)}")
        )  # fmt: skip
        return "", kind, units
    flavor = site.flavors.get(flavor_id)
    if flavor is None:
        problems.append(
            Problem("resources.flavor", flavor_id, "is not a flavor of this site",
                    f"use one of: {_names(site.flavors)}")
        )  # fmt: skip
    elif flavor.kind is not kind:
        problems.append(
            Problem("resources.flavor", flavor_id, f"is a {flavor.kind} flavor, and the job asks for {kind} units",
                    f"use one of: {_names(of_kind)}")
        )  # fmt: skip
    elif units > flavor.max_units:
        problems.append(
            Problem(f"resources.{kind}", str(units), f"is more than one job may have of flavor {flavor_id!r}",
                    f"ask for at most {flavor.max_units}")
        )  # fmt: skip
    return flavor_id, kind, units


def _names(names: Collection[str]) -> str:
    return ", ".join(sorted(names)) or "none is configured"
