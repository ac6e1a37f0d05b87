"""Beat's duties. Each costs what is due, may run twice at once, and may be missed: the next one catches up."""

from __future__ import annotations

import logging
import time

from workers.about import about_job
from workers.app import sweep
from workers.dead_queues import drop_messages
from workers.kept_logs import remove_due
from workers.machine import Machine
from workers.receipts import sign_ended
from workers.recovery import recover
from workers.resealing import reseal, tell_keys
from workers.tariff import tell_billing

log = logging.getLogger(__name__)

BATCH = 200
# The job store does nothing else while it bills so many: some five milliseconds.
BILLED_AT_ONCE = 100
LEAST_GAP_SECONDS = 60


@sweep
def mark_timeouts(machine: Machine) -> None:
    """Marks running jobs whose timeout was reached, for the case that their agent did not."""
    while ids := machine.store.sweep_deadlines(BATCH):
        log.info("timed out: %s", ", ".join(ids))
    _done(machine, "mark_timeouts")


@sweep
def place_waiting(machine: Machine) -> None:
    """Lets in what is held and places what waits, for the case that whoever made room did not."""
    while let_in := machine.store.sweep_holds():
        log.info("%d held jobs let in", let_in)
    machine.dispatcher.place_waiting()
    _done(machine, "place_waiting")


@sweep
def bill_minutes(machine: Machine) -> None:
    """Writes the minutes of running jobs that have begun since the last tick."""
    tell_billing(machine)
    ticked = machine.store.tick_billing(BILLED_AT_ONCE)
    while ticked.looked == BILLED_AT_ONCE:
        ticked = machine.store.tick_billing(BILLED_AT_ONCE, ticked.until_ms)
    _done(machine, "bill_minutes")


@sweep
def enforce_budgets(machine: Machine) -> None:
    """Warns of budgets that are nearly spent; where one is spent and says so, stops what runs and holds what waits."""
    message = "its project's budget for the month is spent"
    enforced = machine.store.sweep_budgets(BATCH, message)
    while enforced.warned or enforced.stopped or enforced.held:
        for one in enforced.warned:
            log.warning(
                "project %s has spent %.2f of its budget of %.2f for %s", one.project, one.spent, one.limit, one.month
            )
        if enforced.stopped or enforced.held:
            log.warning("%s: stopped %s; held %s", message, list(enforced.stopped), list(enforced.held))
        enforced = machine.store.sweep_budgets(BATCH, message)
    _done(machine, "enforce_budgets")


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
        with about_job(job.id, job.fence):
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
def keep_secrets(machine: Machine) -> None:
    """Tells the public key, seals anew what an older key sealed, and forgets secret variables of deleted jobs."""
    tell_keys(machine)
    if resealed := reseal(machine):
        log.info("%d secrets sealed anew", resealed)
    machine.store.forget_unsealed(BATCH)
    if machine.vault.newest is not None:
        _done(machine, "keep_secrets")


@sweep
def remove_old_logs(machine: Machine) -> None:
    """Removes logs whose time is past, or whose jobs were deleted: from the object store, then from the job store."""
    if removed := remove_due(machine):
        log.info("%d logs removed", removed)
    _done(machine, "remove_old_logs")


@sweep
def drop_dead_messages(machine: Machine) -> None:
    """Empties the queues of lost and removed hosts, which nobody reads."""
    for queue, count in drop_messages(machine).items():
        log.info("%d messages dropped from %s, which nobody reads", count, queue)
    _done(machine, "drop_dead_messages")


def _done(machine: Machine, duty: str) -> None:
    machine.store.sweep_done(duty, int(time.time() * 1000))
