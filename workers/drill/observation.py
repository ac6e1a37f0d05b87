"""What there is to see when a drill is at rest, from the outside: store, ledger, objects, engines, disks, queues."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

from redis import Redis

from aitrain import Client, Job
from aitrain.domain.audit import Audited, Difference
from aitrain.domain.billing import MINUTE_MS
from aitrain.domain.errors import JobNotFound
from aitrain.store.keys import Keys
from workers.drill.fates import FATES
from workers.drill.faults import Struck
from workers.drill.heartbeats import Silence
from workers.drill.orders import BUCKET, PROJECT, Content
from workers.drill.plan import Plan
from workers.drill.queues import FLAVORS_ON_HOSTS, Queues
from workers.drill.site import NAMESPACE, DrillSite
from workers.drill.witness import Ran, Witness

READS_AT_ONCE = 8
# What stands of a unit that no job gets: it is cordoned, or its host finds it unfit.
ASIDE = "!"


@dataclass(frozen=True)
class Billed:
    """A billed minute. minute counts from 0; begins_ms: Unix ms."""

    job_id: str
    attempt: int
    minute: int
    begins_ms: int
    units: int


@dataclass(frozen=True)
class Left:
    """The files of an attempt on a host's disk."""

    host: str
    job_id: str
    fence: str


@dataclass(frozen=True)
class Observation:
    """Everything that the checks judge.

    refused: why submissions were refused, by job; stopped: whether an order to stop did it, by job; objects: by key;
    logs: of the newest attempt, by job; units_held: "host flavor unit" -> the job that holds it, "" if it is kept from
    all; containers, workspaces, messages: what should be gone; struck: the faults as they were; silences: of hosts,
    whatever the reason; audited, differences: what the audit of bills looked at, and found.
    """

    jobs: Mapping[str, Job]
    ran: Sequence[Ran] = ()
    refused: Mapping[str, str] = field(default_factory=dict)
    stopped: Mapping[str, bool] = field(default_factory=dict)
    ledger: Sequence[Billed] = ()
    objects: Mapping[str, Content] = field(default_factory=dict)
    logs: Mapping[str, Sequence[str]] = field(default_factory=dict)
    units_held: Mapping[str, str] = field(default_factory=dict)
    containers: Sequence[str] = ()
    workspaces: Sequence[Left] = ()
    messages: Mapping[str, int] = field(default_factory=dict)
    struck: Sequence[Struck] = ()
    silences: Sequence[Silence] = ()
    audited: Audited = field(default_factory=Audited)
    differences: Sequence[Difference] = ()


@dataclass(frozen=True)
class Told:
    """What those who took part in a drill noted down; see Observation."""

    refused: Mapping[str, str]
    stopped: Mapping[str, bool]
    struck: Sequence[Struck]
    silences: Sequence[Silence]


def observe(site: DrillSite, plan: Plan, client: Client, witnesses: Sequence[Witness], by: Told) -> Observation:
    """Looks at everything once. Whatever does not answer now raises its own error: the site is at rest and mended."""
    jobs = {job.job_id: found for job in plan.jobs if (found := _job(client, job.job_id)) is not None}
    told = {job.job_id for job in plan.jobs if FATES[job.fate].runs} & jobs.keys()
    differences: list[Difference] = []
    redis: Any = Redis.from_url(site.redis.url, decode_responses=True)
    keys = Keys(NAMESPACE)
    return Observation(
        jobs=jobs,
        ran=[ran for witness in witnesses for ran in witness.ran()],
        refused=by.refused,
        stopped=by.stopped,
        ledger=_ledger(redis, keys),
        objects=_objects(site.s3.client()),
        logs={job_id: [line.text for line in client.logs(job_id)] for job_id in told},
        units_held=_units_held(redis, keys, site),
        containers=left_containers(witnesses),
        workspaces=left_workspaces(site),
        messages=left_messages(site),
        struck=by.struck,
        silences=by.silences,
        audited=client.audit(tell=differences.append),
        differences=differences,
    )


def left_containers(witnesses: Sequence[Witness]) -> list[str]:
    """Containers of the site that an engine has."""
    return [f"{witness.host}: {name}" for witness in witnesses for name in witness.left()]


def left_workspaces(site: DrillSite) -> list[Left]:
    """What attempts left on the hosts' disks."""
    return [
        Left(host.name, path.parent.name, path.name)
        for host in site.hosts.values()
        for path in (host.disk.path / "jobs").glob("*/*")
    ]


def left_messages(site: DrillSite) -> dict[str, int]:
    """Messages that wait or were not acknowledged, by queue."""
    queues = Queues(site.redis.url, NAMESPACE)
    try:
        return queues.left()
    finally:
        queues.close()


def _job(client: Client, job_id: str) -> Job | None:
    try:
        return client.get(job_id)
    except JobNotFound:
        return None


def _ledger(redis: Any, keys: Keys) -> list[Billed]:
    rows = []
    for month in redis.smembers(keys("ledger_months", PROJECT)):
        for key, text in redis.hgetall(keys("ledger", PROJECT, month)).items():
            job_id, attempt, first = key.split("/")
            minutes, begins_ms, _, _, units, *_ = json.loads(text)
            for number in range(minutes):
                at_ms = begins_ms + number * MINUTE_MS
                rows.append(Billed(job_id, int(attempt), int(first) + number, at_ms, units))
    return rows


def _objects(s3: Any) -> dict[str, Content]:
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=BUCKET)
    names = [item["Key"] for page in pages for item in page.get("Contents", ())]

    def read(name: str) -> Content:
        digest, size = hashlib.md5(usedforsecurity=False), 0
        for block in s3.get_object(Bucket=BUCKET, Key=name)["Body"].iter_chunks(1024 * 1024):
            digest.update(block)
            size += len(block)
        return Content(size, digest.hexdigest())

    with ThreadPoolExecutor(READS_AT_ONCE) as pool:
        return dict(zip(names, pool.map(read, names), strict=True))


def _units_held(redis: Any, keys: Keys, site: DrillSite) -> dict[str, str]:
    held = {}
    for host in site.hosts:
        for _, flavor in FLAVORS_ON_HOSTS:
            for unit, job_id in redis.hgetall(keys("host_units", host, flavor)).items():
                if job_id:
                    held[f"{host} {flavor} {unit}"] = "" if job_id == ASIDE else job_id
            free, units = redis.zscore(keys("free", flavor), host), redis.hlen(keys("host_units", host, flavor))
            if free is None or int(free) != units:
                told = "does not have it" if free is None else f"says {int(free)} of {units}"
                held[f"{host} {flavor}: the index of free units {told}"] = ""
    for field_, used in redis.hgetall(keys("quota_used")).items():
        if int(used):
            held[f"quota of {field_}: {used} in use"] = ""
    return held
