"""What an operator orders while other things are broken: hosts and units are drained, and given back."""

from __future__ import annotations

import time
from collections.abc import Callable

from aitrain import Client
from aitrain.domain.errors import StoreUnavailable
from workers.drill.moments import PATIENCE_SECONDS, await_event, await_held
from workers.drill.plan import PlannedFault
from workers.drill.site import DrillSite

# For the next container to start, or for the next unit that is held.
MOMENT_SECONDS = 4.0
# Less than most jobs work, so that what is drained has some to evict.
DEADLINE_SECONDS = 0.7
CORDONED_SECONDS = 0.5
AGAIN_SECONDS = 0.3
# What Redis has known for so long outlives its kill.
SYNCED_SECONDS = 2.0
# So often an operator orders again what was forgotten with Redis's last second.
MOST_ORDERS = 5
BY, WHY = "the drill", "to see where its jobs go"


def host_drained(site: DrillSite, fault: PlannedFault, wait: Callable[[float], bool]) -> None:
    """Its jobs have less than a second; those that come to life in it are caught in all their states."""
    await_event(site.hosts[fault.host].engine.url, "start", MOMENT_SECONDS)
    with site.client() as client:
        _ask(lambda: client.drain_host(fault.host, deadline=DEADLINE_SECONDS, by=BY, reason=WHY))
        wait(fault.lasts_s)
        _give_back(client, fault.host, "")


def unit_cordoned(site: DrillSite, fault: PlannedFault, wait: Callable[[float], bool]) -> None:
    """Its job goes on at first, and is evicted without any time when the cordon becomes a drain."""
    with site.client() as client:
        unit = await_held(client, fault.host, MOMENT_SECONDS)
        _ask(lambda: client.cordon_host(fault.host, unit, by=BY, reason=WHY))
        wait(CORDONED_SECONDS)
        _ask(lambda: client.drain_host(fault.host, unit, deadline=0, by=BY, reason=WHY))
        wait(fault.lasts_s - CORDONED_SECONDS)
        _give_back(client, fault.host, unit)


def _ask(order: Callable[[], None]) -> None:
    """Gives an order until it is answered. Raises StoreUnavailable if it never is."""
    until = time.monotonic() + PATIENCE_SECONDS
    while True:
        try:
            return order()
        except StoreUnavailable:
            if time.monotonic() > until:
                raise
            time.sleep(AGAIN_SECONDS)


def _give_back(client: Client, host: str, unit: str) -> None:
    """Uncordons until that is certain to stay. If it does not, the table shows what is missing at rest."""
    for _ in range(MOST_ORDERS):
        _ask(lambda: client.uncordon_host(host, unit))
        time.sleep(SYNCED_SECONDS)
        if _is_back(client, host, unit):
            return


def _is_back(client: Client, host: str, unit: str) -> bool:
    try:
        view = client.host(host)
    except StoreUnavailable:
        return False
    held = view.unit(unit) if unit else None
    return view.cordon_ms is None if held is None else held.cordon is None
