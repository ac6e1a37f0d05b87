"""Signs receipts: of what the store noted when attempts ended."""

from __future__ import annotations

import logging

from aitrain.domain.errors import Unavailable
from aitrain.domain.receipt import Issuer, receipt_of
from aitrain.settings import Settings
from aitrain.signing import Signer
from aitrain.store import Store, UnsignedEnd
from workers.about import about_job

log = logging.getLogger(__name__)

# An end of which no receipt can be made now is looked at again after this; by then somebody may have read the log.
AGAIN_MS = 3_600_000


def sign_ended(store: Store, signer: Signer, settings: Settings) -> int:
    """Signs the receipts of all attempts that have ended and have none; how many. Raises Unavailable."""
    store.signing()
    signed = 0
    while ends := store.unsigned_ends():
        for end in ends:
            with about_job(end.job_id, str(end.attempt)):
                try:
                    signed += _sign(store, signer, settings, end)
                except Unavailable:
                    raise
                except Exception:
                    log.exception("job %s: there is no receipt of attempt %d yet", end.job_id, end.attempt)
                    store.put_off_receipt(end, AGAIN_MS)
    return signed


def _sign(store: Store, signer: Signer, settings: Settings, end: UnsignedEnd) -> bool:
    issuer = Issuer(settings.namespace, settings.currency, settings.minor_unit)
    receipt = receipt_of(end.facts, issuer, end.now_ms)
    return store.put_receipt(end, signer.sign(receipt), settings.receipts.retention_seconds)
