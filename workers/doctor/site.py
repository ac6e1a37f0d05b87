"""Judges what a site's keys and data stores say."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from aitrain.domain.schema import SCHEMA, Stamp
from aitrain.settings import DataStore, Timing
from aitrain.store.inspection import SiteFacts
from workers.datasync.inspection import DataStoreFacts
from workers.doctor.clocks import clock
from workers.doctor.finding import Finding, fail, ok, warn

# A period may be missed in a restart, and a sweep may have much to do: the third that fails to come is news.
MISSED_PERIODS = 3
# What very short periods are not held to.
LEAST_SECONDS = 30.0
# The keys are known, and may not list containers: that right is not needed.
NOT_ALLOWED, NO_SUCH_CALL = {"AccessDenied"}, {"NotImplemented", "MethodNotAllowed"}
TOO_SKEWED = {"RequestTimeTooSkewed", "RequestExpired"}


def schema(facts: SiteFacts, version: str) -> Finding:
    """The job store is of this version. version: of aitrain here."""
    check = "site.schema"
    if facts.stamp is None:
        return ok(check, f"the job store is empty; aitrain {version} has schema {SCHEMA}")
    try:
        problem = Stamp.of(facts.stamp).problem(version)
    except ValueError:
        return fail(check, f"its stamp {facts.stamp!r} is none of aitrain", "correct redis_url or namespace")
    return ok(check, f"{facts.stamp}, as aitrain {version} has it") if problem is None else fail(check, *problem)


def sweeps(facts: SiteFacts, timing: Timing) -> Finding:
    """Beat ticks, and a control worker does what it says."""
    check = "site.sweeps"
    periods = {
        "mark_timeouts": timing.sweep_seconds, "place_waiting": timing.sweep_seconds,
        "bill_minutes": timing.billing_seconds, "recover_lost_hosts": timing.sweep_seconds,
        "evict_drained": timing.sweep_seconds, "drop_dead_messages": timing.sweep_seconds,
    }  # fmt: skip
    start = "start `aitrain control` and, once per site, `aitrain beat`; agents do without meanwhile, but later"
    ages = {name: max(0.0, (facts.now_ms - at_ms) / 1000) for name, at_ms in facts.sweeps.items() if name in periods}
    if not ages:
        return warn(check, "none has ever run", start)
    allowed = {name: max(LEAST_SECONDS, MISSED_PERIODS * period) for name, period in periods.items()}
    late = [name for name, most in allowed.items() if ages.get(name, most + 1) > most]
    youngest = min(ages.values())
    if len(late) == len(allowed):
        return warn(check, f"the last one ended {youngest:.0f} s ago", start)
    if late:
        return warn(
            check, f"{', '.join(late)} did not succeed lately; others did", "look into the control worker's log"
        )
    return ok(check, f"the last one ended {youngest:.0f} s ago")


def hosts(facts: SiteFacts) -> Finding:
    """Somebody is there to run jobs."""
    check = "site.hosts"
    if not facts.live_hosts:
        return warn(check, "no host is alive: jobs will wait", "start `aitrain host` on a machine that offers units")
    alive = f"{len(facts.live_hosts)} alive: {_first(facts.live_hosts)}"
    if facts.away_hosts:
        return warn(
            check, f"{alive}; not heard of: {_first(facts.away_hosts)}",
            "look at `aitrain host list`; start them again, or `aitrain host remove` those that are gone for good",
        )  # fmt: skip
    return ok(check, alive)


def _first(hosts: Sequence[str]) -> str:
    return ", ".join(hosts[:8]) + (", ..." if len(hosts) > 8 else "")


def no_data_store() -> Finding:
    """A site may do without."""
    return ok("data_store", "none is configured: jobs can only name those of their projects")


def secrets(counts: Mapping[str, int], told: Sequence[str] | None, here: Sequence[str] | None) -> Finding:
    """What is kept sealed can be opened. counts: by key, how many it sealed; told: keys that control workers have, None
    if none said so; here: those of this machine's key file, None if it has none, as all but control workers.
    """
    check = "site.secrets"
    kept, known = sum(counts.values()), told if here is None else here
    if known is None:
        if kept:
            return fail(
                check, f"{kept} secrets are kept, and no control worker has told a key", "start one with a key_file"
            )
        return ok(check, "none is kept; to keep some, make a key with `aitrain secret new-key` for the control workers")
    lost = [f"{key_id} ({count})" for key_id, count in counts.items() if key_id not in known]
    if lost:
        where = "of the control workers" if here is None else "of this machine"
        return fail(
            check, f"sealed with keys that the key_file {where} does not have: {', '.join(lost)}",
            "put these keys back as lines of it, or give these secrets again: `aitrain secret status` names them",
        )  # fmt: skip
    if here is not None and told is not None and list(told) != list(here):
        return warn(
            check, "control workers told other keys than this machine's key_file has",
            "give all control workers the same file, and start them again",
        )  # fmt: skip
    return ok(check, f"{kept} kept, all sealed with known keys" if kept else "none is kept; a key is known")


def has_keys(alias: str, store: DataStore) -> Finding | None:
    """None if it has keys to try."""
    if store.access_key_id.get_secret_value() and store.secret_access_key.get_secret_value():
        return None
    return fail(
        f"data_store.{alias}", "has no keys", f"set access_key_id and secret_access_key in [data_stores.{alias}]"
    )


def data_store(alias: str, endpoint: str | None, facts: DataStoreFacts) -> list[Finding]:
    """It answers, knows the keys, and agrees on the time."""
    findings = [_access(f"data_store.{alias}", alias, endpoint, facts)]
    if facts.ahead_s is not None:
        findings.append(clock(f"data_store.{alias}.clock", facts.ahead_s, facts.error_s))
    return findings


def _access(check: str, alias: str, endpoint: str | None, facts: DataStoreFacts) -> Finding:
    section = f"[data_stores.{alias}]"
    if facts.containers is not None:
        return ok(check, f"takes the keys; they may list {facts.containers} containers")
    if facts.code in NOT_ALLOWED:
        return ok(check, "knows the keys; they may not list containers, which jobs do not need")
    if facts.code in NO_SUCH_CALL:
        return ok(check, f"answers; it does not list containers ({facts.code}), so the keys were not tried")
    if facts.code in TOO_SKEWED:
        return fail(check, f"refuses requests of this machine's time ({facts.code})", "set this machine's clock by NTP")
    if facts.code.isdigit():
        return fail(
            check, f"answers with status {facts.code}, and not as an S3 server does",
            f"correct endpoint_url in {section}: the address of the S3 service, without a container",
        )  # fmt: skip
    if facts.code:
        return fail(check, facts.complaint, f"correct access_key_id, secret_access_key and region in {section}")
    where = endpoint or "the provider's own endpoint"
    return fail(check, facts.complaint, f"correct endpoint_url in {section}, and see that this machine reaches {where}")
