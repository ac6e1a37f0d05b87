"""Beat's duties. Each costs what is due, may run twice at once, and may be missed: the next one catches up."""

from __future__ import annotations

import logging
import time

from aitrain.domain.billing import MINUTE_MS, commenced_minutes
from workers.app import sweep
from workers.dead_queues import drop_messages
from workers.ledger import unwritten_rows
from workers.machine import Machine
from workers.receipts import sign_ended
from workers.recovery import recover

log = logging.getLogger(__name__)

BATCH = 200
# A job whose host has not told for a while how long it ran is looked at again no sooner.
SOONEST_MS = 1000
LEAST_GAP_SECONDS = 60


@sweep
def mark_timeouts(machine: Machine) -> None:
    """Marks running jobs whose timeout was reached, for the case that their agent did not."""
    while ids := machine.store.sweep_deadlines(BATCH):
        log.info("timed out: %s", ", ".join(ids))
    _done(machine, "mark_timeouts")


@sweep
def place_waiting(machine: Machine) -> None:
    """Places what waits, for the case that whoever freed the units did not."""
    machine.dispatcher.place_waiting()
    _done(machine, "place_waiting")


@sweep
def bill_minutes(machine: Machine) -> None:
    """Writes the minutes of running jobs that have begun since the last tick."""
    store = machine.store
    looked_at: set[str] = set()
    while jobs := [job for job in store.due_billing(BATCH) if job.id not in looked_at]:
        looked_at.update(job.id for job in jobs)
        for job in jobs:
            rows = unwritten_rows(machine.settings, job, job.ran_ms) if job.ran_ms else []
            next_minute_ms = commenced_minutes(job.ran_ms) * MINUTE_MS - job.ran_ms
            store.bill(job, rows, again_ms=max(SOONEST_MS, next_minute_ms + 1))
    _done(machine, "bill_minutes")


@sweep
def recover_lost_hosts(machine: Machine) -> None:
    """Tries the jobs of lost hosts again, elsewhere: by now those have stopped them (fencing.py)."""
    timing = machine.settings.timing
    lost = machine.store.jobs_of_lost_hosts(
        finalizing_ms=int(timing.finalizing_patience_seconds * 1000),
        # Less than this, and a slow beat would give lost hosts their time again and again.
        gap_ms=int(max(LEAST_GAP_SECONDS, 4 * timing.sweep_seconds) * 1000),
        limit=BATCH,
    )
    for job in machine.store.get_many(lost):
        recover(machine, job)
    _done(machine, "recover_lost_hosts")


@sweep
def evict_drained(machine: Machine) -> None:
    """Evicts the jobs of hosts whose drain is at its deadline, for the case that their agents did not."""
    if ids := machine.store.sweep_drains(BATCH):
        log.info("evicted: %s", ", ".join(ids))
    _done(machine, "evict_drained")


@sweep
def sign_receipts(machine: Machine) -> None:
    """Signs the receipts of attempts that have ended, if this control worker has a key."""
    if machine.signer is not None:
        if signed := sign_ended(machine.store, machine.signer, machine.settings):
            log.info("%d receipts signed", signed)
        _done(machine, "sign_receipts")


@sweep
def drop_dead_messages(machine: Machine) -> None:
    """Empties the queues of lost and removed hosts, which nobody reads."""
    for queue, count in drop_messages(machine).items():
        log.info("%d messages dropped from %s, which nobody reads", count, queue)
    _done(machine, "drop_dead_messages")


def _done(machine: Machine, duty: str) -> None:
    machine.store.sweep_done(duty, int(time.time() * 1000))
