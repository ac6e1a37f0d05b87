"""Control workers' duties on the site's secrets: telling the public key, and sealing anew what an older key sealed."""

from __future__ import annotations

import logging

from aitrain.domain.errors import SecretUnreadable
from workers.machine import Machine

log = logging.getLogger(__name__)

# Of one sweep: opening and sealing one takes less than a millisecond.
BATCH = 500


def tell_keys(machine: Machine) -> None:
    """Tells the store which key clients are to seal with. A control worker without keys tells nothing."""
    if (newest := machine.vault.newest) is not None:
        machine.store.tell_keys(newest.public_key, machine.vault.key_ids)


def reseal(machine: Machine) -> int:
    """Seals anew with the newest key what another of this worker's keys has sealed; how many. Costs what is left."""
    vault = machine.vault
    if vault.newest is None:
        return 0
    done = 0
    for key_id in machine.store.sealed_counts():
        if key_id == vault.newest.key_id or key_id not in vault.key_ids:
            continue  # of a key that is nowhere any more, `aitrain secret status` tells
        for member in machine.store.sealed_by(key_id):
            if done == BATCH:
                return done
            try:
                tokens = {
                    purpose: (token, vault.newest.seal(purpose, vault.open(purpose, token)))
                    for purpose, token in machine.store.tokens_of(member).items()
                    if f".{key_id}." in token
                }
            except SecretUnreadable as error:
                log.warning("%s cannot be sealed anew: %s", member, error)
                continue
            machine.store.reseal(member, tokens)
            done += 1
    return done
