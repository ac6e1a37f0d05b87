"""What control workers tell the job store of this site's billing: whoever places a job may know less of it."""

from __future__ import annotations

import logging

from workers.machine import Machine

log = logging.getLogger(__name__)


def tell_billing(machine: Machine) -> None:
    """Tells the store the billing policy and the prices. Nothing changes if it knows them. Raises StoreUnavailable."""
    prices = {flavor: held.hourly_price for flavor, held in machine.settings.flavors.items()}
    for flavor in machine.store.set_billing(machine.settings.billing.policy, prices):
        log.info("the price of %s is %s an hour from now on", flavor, prices[flavor])
