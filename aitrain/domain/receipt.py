"""Run receipts: what an attempt of a job was given, did and cost, as a document that a site signs.

What stands in it: docs/reference/receipts.md. The document has no floats, and its schema's number changes with its
meaning, so that whoever keeps one for years can still tell what it says.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from aitrain.domain.billing import LedgerLine, amount
from aitrain.domain.canonical import canonical, digest
from aitrain.domain.errors import ReceiptInvalid
from aitrain.domain.flavor import Kind
from aitrain.domain.job import Job
from aitrain.domain.spec import JobSpec
from aitrain.domain.states import InfoCode, State
from aitrain.domain.volume import Volume

SCHEMA = "aitrain.receipt/1"
ALGORITHM = "Ed25519"


@dataclass(frozen=True)
class Listings:
    """What is known of a job's volumes, by mount path; nothing of a copy that was not done.

    inputs: of what it was filled with, a listing (see domain/listing.py), or {"commit": ...} of a git repository;
    outputs: of what was pushed from it, a listing with the number of objects that were `deleted`.
    """

    inputs: Mapping[str, Any] = field(default_factory=dict)
    outputs: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class AttemptFacts:
    """What the store noted when an attempt ended.

    job: as it stood then, with the moves of the attempt, the last of which ended it; state, code: to which it went;
    lines: of the ledger, in order; before: the receipt that was made of an earlier end of the attempt, if its results
    were pushed again: what it was given and owes stands there.
    """

    job: Job
    state: State
    code: InfoCode
    lines: tuple[LedgerLine, ...]
    listings: Listings
    before: Mapping[str, Any] | None = None


@dataclass(frozen=True)
class Issuer:
    """The site that signs. site: its namespace; currency, minor_unit: of its prices and bills."""

    site: str
    currency: str
    minor_unit: Decimal


def spec_digest(spec: JobSpec) -> str:
    """The SHA-256 of a spec as it was submitted, in canonical JSON: all fields that differ from their default."""
    dumped = spec.model_dump(mode="json", exclude_defaults=True)
    # Names of variables and labels are users' texts; canonical JSON is for documents whose members have our names.
    pairs = {name: sorted(map(list, dumped[name].items())) for name in ("env", "labels") if name in dumped}
    return digest(dumped | pairs)


def receipt_of(facts: AttemptFacts, issuer: Issuer, issued_ms: int) -> dict[str, Any]:
    """The receipt of an attempt. issued_ms: Unix ms, the store's clock.

    Raises ValueError if the lines are not all that was billed.
    """
    job, before = facts.job, facts.before
    listings = facts.listings if before is None else _since(before, facts.listings)
    return {
        "schema": SCHEMA,
        "site": issuer.site,
        "issued_ms": issued_ms,
        "job": job.id,
        "attempt": job.attempt,
        "project": job.project,
        "user": job.spec.user,
        "name": job.name,
        "spec_sha256": spec_digest(job.spec),
        "image": {"reference": job.spec.image, "id": job.image_id, "digest": job.image_digest},
        "command": list(job.spec.command),
        "volumes": [_volume(volume, listings) for volume in job.spec.volumes],
        "host": job.host,
        "flavor": job.flavor,
        "units": job.units,
        "gpu_ids": list(job.unit_ids) if job.kind is Kind.GPU else [],
        "exit_code": job.exit_code,
        "end": {"state": facts.state, "code": facts.code, "cause": job.end_cause},
        "states": [{"state": move.state, "at_ms": move.at_ms} for move in job.history],
        "started_ms": job.started_ms,
        "finished_ms": job.finished_ms,
        "bill": before["bill"] if before is not None else _bill(job, facts.lines, issuer),
    }


def _volume(volume: Volume, listings: Listings) -> dict[str, Any]:
    told = {
        "source": volume.source,
        "mount_path": volume.mount_path,
        "permission": volume.permission,
        "input": listings.inputs.get(volume.mount_path),
    }
    return told | ({"output": listings.outputs.get(volume.mount_path)} if volume.permission.writable else {})


def _bill(job: Job, lines: Sequence[LedgerLine], issuer: Issuer) -> dict[str, Any]:
    """What the attempt owes. A sixtieth may have no end in decimals: exact is the sum before it is divided."""
    minutes = sum(line.minutes for line in lines)
    if minutes != job.billed_minutes:
        raise ValueError(f"{job.billed_minutes} minutes were billed, and the ledger has lines for {minutes} of them")
    price_minutes = sum((line.price_minutes for line in lines), Decimal(0))
    return {
        "minutes": minutes,
        "policy": lines[0].terms.policy if lines else None,
        "price_minutes": f"{price_minutes:f}",
        "amount": f"{amount(lines, issuer.minor_unit):f}",
        "currency": issuer.currency,
        "lines": [
            {
                "first": line.first, "minutes": line.minutes, "begins_ms": line.begins_ms, "units": line.terms.units,
                "hourly_price": f"{line.terms.hourly_price:f}",
            }
            for line in lines
        ],
    }  # fmt: skip


def _since(before: Mapping[str, Any], now: Listings) -> Listings:
    """What is known of the volumes, with what an earlier receipt says that they were filled with."""
    filled = {one["mount_path"]: one["input"] for one in before["volumes"] if one["input"] is not None}
    return Listings(filled | dict(now.inputs), now.outputs)


def signed_bytes(receipt: Mapping[str, Any]) -> bytes:
    """What the signature of a receipt is made over."""
    return canonical(dict(receipt))


def opened(text: bytes) -> tuple[dict[str, Any], dict[str, str]]:
    """The receipt in a signed document and its signature, as they stand there, before anything is believed.

    Raises ReceiptInvalid for what is no such document, or one of an unknown schema.
    """
    try:
        document = json.loads(text, object_pairs_hook=_once, parse_float=_no_float, parse_constant=_no_float)
    except (ValueError, RecursionError) as error:  # UnicodeDecodeError is one
        raise ReceiptInvalid(f"it cannot be read ({error})") from None
    # Whatever stood beside the two would look signed and not be.
    if not isinstance(document, dict) or document.keys() != {"receipt", "signature"}:
        raise ReceiptInvalid("it is no receipt: one has the members `receipt` and `signature`, and no other")
    receipt, signature = document["receipt"], document["signature"]
    schema = receipt.get("schema") if isinstance(receipt, dict) else None
    if schema != SCHEMA:
        raise ReceiptInvalid(f"its schema is {schema!r}, and this aitrain knows {SCHEMA!r}; use a newer one")
    texts = isinstance(signature, dict) and all(isinstance(value, str) for value in signature.values())
    if not texts or signature.keys() != {"algorithm", "key", "value"} or signature["algorithm"] != ALGORITHM:
        raise ReceiptInvalid(f"its signature is none of {ALGORITHM}")
    try:
        canonical(receipt)
    except (TypeError, ValueError, RecursionError) as error:
        raise ReceiptInvalid(f"it has no canonical form ({error}): it was changed after it was signed") from None
    return receipt, signature


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Two readers could take two members of one name for different ones."""
    members = dict(pairs)
    if len(members) < len(pairs):
        raise ValueError("a member stands there twice")
    return members


def _no_float(text: str) -> Any:
    raise ValueError(f"{text} is no whole number")
