"""Between the hashes in Redis and the domain's objects.

Fields of a job's hash beside those of domain.job.Job (numbers as decimal text, flags as 0 and 1):
    spec            the spec as JSON, as submitted
    running_ms      when it entered RUNNING, by the store's clock; its timeout counts from here
    deadline_ms     when its timeout is reached
    lease_holder    which worker is at its step; lease_ms: until when unless renewed
    stop_op, start_op, push_op  the ids of the last orders that did something: one that is sent again finds itself here
    avoid           the host where the platform failed it last
    evicting        whether it is stopped to run elsewhere; an order to stop it takes that back
    stop_asked, delete_asked  whether somebody ordered it to stop, or to be gone when it has ended
    warning_s, warning_signal  when and how its container is warned of its timeout
    due_ms          when its step's message is sent again, unless a worker takes it up before
    last_op         the id of the call that moved it last: a call that is sent again finds itself here
    resends         how often the message of its step was sent again
    instance        which machine its host was when it was placed there: its data is on that one
    expired_ms      when its host was allowed to remove the results that could not be pushed
    copy_due_ms     when the message of the order to copy its data is sent again, unless a worker takes it up before
    hourly_price    of a unit when it was submitted; it counts where the store was told no price of the flavor
    placed_ms, pending_ms  when the attempt entered INITIALIZING and PENDING, by the store's clock
    line            the first minute of the attempt's last line in the ledger
    kept_host       which host is kept for it while it waits
    set_aside       the most that it may yet cost, where its project's budget sets that aside
    held            why it is held (lua/shared/holds.lua) while it is QUEUED
    has_secrets     there if it has secret variables, whose tokens stand in a key of their own
Fields of an ordered copy's hash beside those of domain.copying.DataCopy: holder and lease_ms, resends, as of a step.
When a job ends, its history and its fields of more than 64 bytes move to the key `settled`, and what meant something
only while it ran goes; what moved comes back with the next attempt (lua/shared/settling.lua).
Of a deleted job a hash remains for a day: deleted_ms, last_op, fence, state.
Fields of a host's hash: instance (which machine it is), max_jobs, fit (0: place nothing there now), seen_ms (its last
word), lost_ms (so long after that it is lost), disk_free, disk_size (bytes of the file system of its data); cordon_ms,
cordon_by, cordon_reason (since when, by whom and why it is given no more jobs), drain_ms (when its jobs are evicted, 0:
never; absent if it is not drained), cordon_op, uncordon_op (the ids of the last orders).
"""

from __future__ import annotations

import json
from decimal import Decimal
from functools import lru_cache
from typing import Any

from aitrain.domain.admission import Admitted
from aitrain.domain.billing import BilledJob, LedgerLine, Policy, Price, Terms
from aitrain.domain.copying import DataCopy
from aitrain.domain.errors import LineUnreadable
from aitrain.domain.host import FlavorView, HeldJob, HostView, UnitView
from aitrain.domain.job import HistoryEntry, Job
from aitrain.domain.spec import JobSpec
from aitrain.domain.states import STATES, InfoCode, State


def job_fields(admitted: Admitted) -> dict[str, str]:
    """The part of a job's hash that its submission decides."""
    spec = admitted.spec
    return {
        "project": spec.project,
        "spec": spec.model_dump_json(exclude_defaults=True),
        "flavor": admitted.flavor,
        "kind": admitted.kind,
        "units": str(admitted.units),
        "priority": str(admitted.priority),
        "hourly_price": str(admitted.hourly_price),
        "timeout_s": str(admitted.timeout_s),
        "auto_restart": str(int(spec.auto_restart)),
        "labels": json.dumps(spec.labels),
        "platform_retries": str(admitted.platform_retries),
        "warning_s": str(admitted.warning_s),
        "warning_signal": spec.warning_signal or "",
    }


def to_job(
    job_id: str, fields: dict[str, str], history: list[str], attempts: list[str], spec: JobSpec | None = None
) -> Job:
    """A job from its hash and its lists. spec: what its hash says of it, where that is known already."""
    values: dict[str, Any] = {**fields, "id": job_id}
    values["spec"], values["unknown"] = (spec, ()) if spec else JobSpec.read(fields["spec"])
    values["unit_ids"] = tuple(json.loads(fields.get("unit_ids", "[]")))
    values["labels"] = json.loads(fields.get("labels", "{}"))
    values["progress"] = json.loads(fields.get("progress", "{}"))
    values["history"] = [_move(*json.loads(entry)) for entry in history]
    values["earlier_attempts"] = [json.loads(entry) for entry in attempts]
    return Job.model_validate(values)


def unsettled(fields: dict[str, str], settled: str | None, history: list[str]) -> tuple[dict[str, str], list[str]]:
    """A job's fields and history, wherever they stand. settled: see lua/shared/settling.lua; None: it has not ended."""
    text, long, at = (settled or "").encode(), dict[str, str](), 0
    while at < len(text):
        start = text.index(b"\n", at) + 1
        name, _, size = text[at:start].decode().partition(" ")
        at = start + int(size)
        long[name] = text[start:at].decode()
    moves = [json.dumps(entry) for entry in json.loads(long.pop("history", "[]"))]
    return long | fields, moves or history


def _move(at_ms: int, state: str, attempt: int, code: str | None = None, message: str = "") -> HistoryEntry:
    """A move as the history keeps it."""
    known = State(state)
    return HistoryEntry(
        at_ms=at_ms, state=known, attempt=attempt, code=InfoCode(code or STATES[known].code), message=message
    )


def to_copy(fields: dict[str, str]) -> DataCopy:
    """An ordered copy from its hash."""
    return DataCopy.model_validate({**fields, "lines": json.loads(fields.get("lines", "[]"))})


def to_ledger_line(project: str, field: str, text: str) -> LedgerLine:
    """A line of the ledger as it stands in the store.

    Raises LineUnreadable if somebody else has written there.
    """
    try:
        job_id, attempt, first = field.rsplit("/", 2)
        minutes, begins_ms, price, flavor, units, policy, host = json.loads(text)
        terms = _terms(project, flavor, units, price, host, policy)
        sound = minutes > 0 and begins_ms >= 0 and units > 0 and terms.hourly_price >= 0
        line = LedgerLine(job_id, int(attempt), int(first), minutes, begins_ms, terms)
    except (ValueError, TypeError, ArithmeticError) as error:
        raise LineUnreadable(project, field, text) from error
    if not sound:
        raise LineUnreadable(project, field, text)
    return line


@lru_cache(maxsize=4096)  # a million lines have a few hundred terms among them
def _terms(project: str, flavor: str, units: int, price: str, host: str, policy: str) -> Terms:
    return Terms(project, flavor, units, Decimal(price), host, Policy(policy))


def to_billed_job(text: str) -> BilledJob:
    """What the ledger keeps of a job."""
    held = json.loads(text)
    labels = tuple(sorted(dict(held.get("labels") or {}).items()))
    return BilledJob(held.get("name", ""), held.get("user", ""), labels)


def to_price(member: str) -> Price:
    """A price from its place in the history of a flavor's."""
    from_ms, price = member.split(" ")
    return Price(int(from_ms), Decimal(price))


def to_host_view(row: dict[str, Any]) -> HostView:
    """A host from a row of host_rows.lua. Lua writes an empty list as an object."""
    cordon = row.get("cordon") or {}
    flavors = [
        FlavorView(flavor=flavor, units=tuple(sorted((_to_unit(unit) for unit in units), key=lambda unit: unit.id)))
        for flavor, units in sorted(dict(row["flavors"]).items())
    ]
    jobs = [HeldJob.model_validate(job) for job in list(row["jobs"])]
    return HostView(
        name=row["host"], agent_version=row.get("agent", ""), worker_version=row.get("worker", ""),
        seen_ms_ago=row["seen_ms_ago"], max_jobs=row["max_jobs"], alive=row["alive"],
        lost=row["lost"], fit=row["fit"], drain_ms=row.get("drain_ms"), cordon_ms=cordon.get("ms"),
        cordon_by=cordon.get("by", ""), cordon_reason=cordon.get("reason", ""), flavors=tuple(flavors),
        jobs=tuple(sorted(jobs, key=lambda job: job.id)), disk_free=row.get("disk_free"),
        disk_size=row.get("disk_size"),
    )  # fmt: skip


def _to_unit(unit: dict[str, Any]) -> UnitView:
    aside = unit.get("aside") or {}
    return UnitView(
        id=unit["id"], job_id="" if unit["stands"] in ("", "!") else unit["stands"], fault=aside.get("agent"),
        fault_ms=aside.get("agent_ms"), cordon=aside.get("operator"), cordon_by=aside.get("operator_by", ""),
        cordon_ms=aside.get("operator_ms"), drain_ms=aside.get("drain_ms"),
    )  # fmt: skip
