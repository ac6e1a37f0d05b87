"""Judges what a host's settings promise, and whether its name is its own."""

from __future__ import annotations

from pathlib import Path

from aitrain.domain.errors import InvalidInput
from aitrain.settings import Settings
from aitrain.store.inspection import SiteFacts
from workers.agent.inventory import check_inventory
from workers.doctor.finding import Finding, fail, ok
from workers.gpus.offer import Offer


def settings(given: Settings, offered: Offer) -> Finding:
    """Name and units are set, and the catalogue knows the flavors."""
    check = "host.settings"
    try:
        check_inventory(given)
    except InvalidInput as error:
        found = "; ".join(f"{p.field}{f' {p.value!r}' if p.value else ''} {p.message}" for p in error.problems)
        return fail(check, found, "; ".join(problem.remedy for problem in error.problems))
    return ok(check, f"{given.host.name} offers {offered}")


def name(given: Settings, facts: SiteFacts, instance: str) -> Finding:
    """No other machine that is alive has this name. instance: which machine this is, "" if it has not joined yet."""
    check, called = "host.name", given.host.name
    if not facts.holder:
        return ok(check, f"{called} is free")
    if facts.holder == instance:
        return ok(check, f"{called} is this machine, and alive")
    return fail(
        check, f"{called} is the name of another machine that is alive",
        f"give each host a host.name of its own; if this is the same machine with a new data_dir, stop its agent and "
        f"wait {given.timing.host_lease_seconds:g} s",
    )  # fmt: skip


def instance_of(data_dir: Path) -> str:
    """Which machine this is, as Machine.instance wrote it; "" if it has not."""
    try:
        return (data_dir / "instance").read_text()
    except OSError:
        return ""
