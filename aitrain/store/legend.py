"""The legend of every key in Redis. Python and Lua both build keys from it (keys.py), so there is no other place.

The root, in braces, is the site's namespace: `{aitrain}:job:0198...`. The braces make it one hash tag, so that scripts
may build the keys of what they find. All times are Unix milliseconds by the store's clock unless said otherwise.

Each key says who may read it (r) and write it (w): "producer:rw own:r". Redis holds to that, by the users of acl.py,
also inside a script. The roles are producer, operator, control, host, flower, metrics; an operator may all that a
producer may, without being named; "own" is the host whose name stands in the key, and "host" any host. "own:d" and the
like: may delete it, neither read nor change it.
"""

from __future__ import annotations

from dataclasses import dataclass
from string import Formatter


@dataclass(frozen=True)
class Key:
    """One pattern. `pattern` has its parts in braces; `holds` says the type and what stands there; `roles` who may."""

    pattern: str
    holds: str
    roles: str

    @property
    def parts(self) -> list[str]:
        """The names of the variable parts, in order."""
        return [name for _, name, _, _ in Formatter().parse(self.pattern) if name is not None]


# Whoever runs the scripts that move a job needs what these keep up to date: the script runs with the caller's rights.
JOBS = "producer:rw control:rw host:rw"

LEGEND: dict[str, Key] = {
    "schema": Key(
        "schema",
        "text: the version of what is kept here, see domain/schema.py. Not for hosts to write: a migration goes by the "
        "records of jobs, which they may write",
        "producer:rw control:rw host:r flower:r metrics:r",
    ),
    "job": Key("job:{id}", "hash: the job; its fields stand in records.py", JOBS),
    "settled": Key(
        "job:{id}:settled",
        "text: of a job that has ended, its history and long fields; see lua/shared/settling.lua",
        JOBS,
    ),
    "history": Key(
        "job:{id}:history",
        "list of JSON [at_ms, state, attempt, code, message]: every move, oldest first, until it ends; the last two "
        "are left out where the state says as much",
        JOBS,
    ),
    "attempts": Key("job:{id}:attempts", "list of JSON: how each earlier attempt ended", JOBS),
    "log": Key(
        "job:{id}:log:{attempt}:stand",
        "hash: how the log of an attempt stands, see logs.py; number of a line -> 'lines bytes' of the part of it that "
        "begins there in the object store",
        JOBS,
    ),
    "log_ring": Key(
        "job:{id}:log:{attempt}:ring",
        "list of 'first lines bytes text': newest lines of a log, in compressed blocks",
        JOBS,
    ),
    "log_ends": Key(
        "due:log",
        "zset: 'job/attempt' with a log, by the time from which it is kept; 0: goes at once",
        "producer:w control:rw host:w",
    ),
    "chunk": Key(
        "log_chunk:{token}",
        "hash: a part of a log that somebody wants to read, and what came of it",
        "producer:rw control:rw",
    ),
    "copy": Key(
        "job:{id}:copy", "hash: the last order to copy its data while it ran; its fields stand in records.py", JOBS
    ),
    "jobs": Key("jobs", "zset: every job, by time of creation", "producer:rw control:rw host:w"),
    "origin": Key(
        "origin:{id}",
        "text: 'project digest' of the spec as it was submitted, then a line 'fence host' for each run; see "
        "lua/shared/origin.lua",
        "producer:w control:rw host:d",
    ),
    "refs": Key(
        "refs",
        "zset, all scores 0: 'i/id/project' and 'n/name/project/id' of every job, to be found by a beginning or a name",
        "producer:rw control:rw host:w",
    ),
    "project_jobs": Key(
        "project:{project}:jobs", "zset: the jobs of a project, by time of creation", "producer:rw control:rw host:w"
    ),
    "state": Key(
        "state:{state}", "zset: the jobs in a state, by time of entering it", "producer:rw control:rw host:w metrics:r"
    ),
    "lines": Key(
        "waiting:{flavor}",
        "hash: 'units/project' of each line in which jobs wait -> score of its first and last, id of its first",
        JOBS + " metrics:r",
    ),
    "line": Key(
        "waiting:{flavor}:{units}:{project}",
        "zset: QUEUED jobs, by priority, then by time from which they wait",
        JOBS + " metrics:r",
    ),
    "retries": Key(
        "due:retry",
        "zset: QUEUED jobs whose retry waits for its time, by that time; they are in no line",
        JOBS + " metrics:r",
    ),
    "kept": Key("kept:{flavor}", "hash: host -> the job that it is kept for, which waits", JOBS),
    "use": Key("use:{flavor}", "hash: project -> 'average at_ms held': units that it holds, and held of late", JOBS),
    "placing": Key(
        "placing", "hash: holder, until_ms of the pass at work (no holder: one is due); asked: it looks again", JOBS
    ),
    "flavors": Key("flavors", "set: flavors that a host has ever offered", "producer:r control:rw host:rw metrics:r"),
    "free": Key("free:{flavor}", "zset: hosts that may take jobs of a flavor, by number of free units", JOBS),
    "hosts": Key(
        "hosts",
        "zset: every host, by the time at which its lease lapses",
        "producer:r operator:w control:rw host:rw metrics:r",
    ),
    "drains": Key(
        "due:drain",
        "zset: hosts of which something is drained, by the time at which its jobs are evicted",
        "operator:w control:rw host:rw metrics:r",
    ),
    "removed": Key(
        "hosts:removed",
        "hash: removed host whose queues may hold messages -> id of the order",
        "operator:rw control:rw host:w metrics:r",
    ),
    "dropped": Key(
        "queues:dropped",
        "hash: queue -> JSON: how many messages of a dead host were dropped from it",
        "producer:r control:rw",
    ),
    "refused": Key(
        "messages:refused",
        "hash: queue -> how many messages workers refused to take from it",
        "producer:r control:rw host:rw metrics:r",
    ),
    "host": Key(
        "host:{host}",
        "hash: what a host said when it joined; its fields stand in records.py",
        "producer:r operator:w control:rw own:rw metrics:r",
    ),
    "host_versions": Key(
        "host:{host}:versions",
        "hash: agent, worker: the version of aitrain that each said at its start",
        "producer:r operator:w control:rw own:rw metrics:r",
    ),
    "host_units": Key(
        "host:{host}:units:{flavor}",
        "hash: unit id -> its job's id, '' if free, '!' if aside",
        "producer:rw control:rw own:rw metrics:r",
    ),
    "host_aside": Key(
        "host:{host}:aside",
        "hash: 'flavor/unit' -> JSON: why no job gets the unit; see units.lua",
        "producer:r operator:w control:rw own:rw metrics:r",
    ),
    "host_offers": Key(
        "host:{host}:offers:{flavor}",
        "set: the units that the host offers now",
        "producer:r operator:w control:rw own:rw metrics:r",
    ),
    "host_jobs": Key(
        "host:{host}:jobs",
        "set: jobs that the host still has work to do for",
        "producer:rw control:rw own:rw metrics:r",
    ),
    "quota_limit": Key(
        "quota:limit",
        "hash: 'project/kind' -> most units, jobs or cached bytes at once",
        "producer:r operator:w control:r host:r",
    ),
    "quota_used": Key("quota:used", "hash: 'project/kind' -> units, or number, of the jobs that count", JOBS),
    "cached": Key(
        "cache:{project}",
        "hash: host -> bytes of the project that its cache holds, as it told last",
        "producer:r control:rw host:rw",
    ),
    "caching": Key(
        "cache:{project}:kept",
        "hash: host -> bytes of the project that its worker is about to cache",
        "producer:r control:rw host:rw",
    ),
    "over_quota": Key(
        "quota:over",
        "hash: project -> 'refuse' or 'hold': what becomes of jobs over its quota",
        "producer:r operator:w control:r",
    ),
    "live": Key(
        "project:{project}:live", "set: jobs of a project that count, or run", "producer:w operator:r control:rw host:w"
    ),
    "budgets": Key(
        "budgets",
        "hash: project -> JSON [limit, warn, rule, stop, beyond_ms]; see lua/shared/budget.lua",
        "producer:r operator:w control:r host:r",
    ),
    "budget_warned": Key(
        "budgets:warned",
        "hash: project -> the month in which it was warned of its budget last",
        "producer:r operator:w control:rw",
    ),
    "set_aside": Key(
        "budgets:set_aside",
        "hash: project -> the most that its live jobs may yet cost, as in spent",
        JOBS,
    ),
    "held": Key(
        "held:{project}:{kind}",
        "zset: held jobs, by priority, then by arrival; they are in no line",
        JOBS + " metrics:r",
    ),
    "held_kinds": Key("held", "set: 'project/kind' of which jobs are held", "producer:w control:rw host:w metrics:r"),
    "timeout_limit": Key(
        "limit:timeout",
        "hash: project -> its longest timeout in seconds, 0 for none",
        "producer:r operator:w control:r host:r",
    ),
    "priority_limit": Key(
        "limit:priority", "hash: project -> the highest priority of its jobs", "producer:r operator:w control:r"
    ),
    "egress": Key(
        "limit:egress",
        "hash: project -> what its jobs reach over the network, bridge or none",
        "producer:r operator:w control:r host:r",
    ),
    "data_stores": Key(
        "project:{project}:data_stores",
        "hash: alias -> JSON: what may be shown of a data store of the project",
        "producer:rw control:rw host:r",
    ),
    "data_store_projects": Key(
        "data_stores:projects", "set: projects that have data stores of their own", "producer:rw control:rw host:r"
    ),
    "registries": Key(
        "project:{project}:registries",
        "hash: server -> JSON: what may be shown of a registry of the project",
        "producer:rw control:rw host:r",
    ),
    "public_key": Key(
        "public_key",
        "hash: key: the site's public key, which secrets are sealed with; ids: JSON, of all keys that control workers "
        "have. Only control workers write it",
        "producer:r control:rw host:r",
    ),
    "sealed": Key(
        "sealed:{project}",
        "hash: 'data_store/alias' or 'registry/server' -> token. Hosts have no need to read it",
        "producer:rw control:rw",
    ),
    "sealed_env": Key(
        "sealed_env:{id}",
        "hash: variable of a job -> token. Hosts have no need to read it",
        "producer:rw control:rw",
    ),
    "sealed_by": Key(
        "sealed_by:{key}",
        "set: 'data_store/project/alias', 'registry/project/server', 'env/job' whose tokens the key sealed",
        "producer:rw control:rw",
    ),
    "sealing_keys": Key(
        "sealing_keys", "set: ids of the keys that have sealed something that is kept", "producer:rw control:rw"
    ),
    "unsealed": Key(
        "due:unsealed",
        "zset: deleted jobs whose sealed variables are to go, by time of their deletion",
        "producer:w control:rw host:w",
    ),
    "host_key": Key(
        "host_key:{host}",
        "text: the host's public key, which its own secrets are sealed with. Whoever could put his own there would be "
        "handed them",
        "operator:d control:r own:rw",
    ),
    "delivered": Key(
        "delivered:{host}",
        "hash: 'job/kind/name' -> JSON {revision, token} of a secret that a job there needs, sealed for the host, or "
        "{revision, error}. Other hosts have no need of it",
        # Who removes a lost host for good takes back what it was given.
        "operator:rw control:rw own:rw",
    ),
    "check": Key(
        "check:{token}",
        "hash: a data store that is to be added, sealed, and what came of its check",
        "producer:rw control:rw",
    ),
    "asks": Key(
        "asks:{host}",
        "list: tokens of sessions that the host's agent is to take up; lapses by itself",
        "producer:w own:rw",
    ),
    "session": Key(
        "session:{token}",
        "hash: what an agent is asked, and how far both ways are; lapses by itself",
        "producer:rw host:rw",
    ),
    "session_way": Key(
        "session:{token}:{way}",
        "stream: entries 'k' (kind), 'd' (base64) on their way 'in' or 'out'; lapses by itself",
        "producer:rw host:rw",
    ),
    "deadlines": Key(
        "due:deadline",
        "zset: RUNNING jobs, by the time at which their timeout is reached",
        "producer:rw control:rw host:w metrics:r",
    ),
    "billing": Key(
        "due:billing",
        "zset: running jobs, by the time at which their next minute may have begun",
        "producer:r control:rw host:w metrics:r",
    ),
    "policy": Key(
        "billing:policy", "text: the site's billing policy, as control workers told it last", "producer:r control:rw"
    ),
    "prices": Key(
        "prices:{flavor}",
        "zset: 'from_ms price', by from_ms: each hourly price of a unit, and when it began to count",
        "producer:r control:rw host:r",
    ),
    "ledger": Key(
        "ledger:{project}:{month}",
        "hash: 'job/attempt/first minute' -> JSON [minutes, begins_ms, hourly price, flavor, units, policy, host]; "
        "append-only, but that the last line of an attempt grows",
        "producer:r operator:w control:rw host:rw",
    ),
    "ledger_jobs": Key(
        "ledger_jobs:{project}:{month}",
        "hash: job with lines -> JSON {name, user, labels}",
        "producer:rw control:rw host:w",
    ),
    "ledger_months": Key(
        "ledger:{project}", "set: months for which a project has lines", "producer:r operator:w control:rw host:w"
    ),
    "ledger_projects": Key("ledger", "set: projects that have lines", "producer:r control:rw host:w"),
    "spent": Key(
        "spent:{month}",
        "hash: project -> minutes x units x hourly price of its lines, in millionths",
        "producer:r control:rw host:rw",
    ),
    "pruned": Key(
        "pruned:{project}",
        "hash: month whose ledger was removed -> JSON: what it came to; see months.py",
        "producer:r operator:w control:r host:r",
    ),
    "signing": Key(
        "signing",
        "text: there while control workers have a key to sign receipts with; lapses by itself",
        "producer:r control:rw host:r",
    ),
    "manifest": Key(
        "manifest:{id}:{attempt}",
        "hash: inputs, outputs: listings of an attempt's volumes, for its receipt, compressed",
        "producer:w control:rw host:w",
    ),
    "ended": Key(
        "ended:{id}:{attempt}",
        "hash: what a receipt is made of, until it is signed: version, state, code, job (its fields), moves, lines (of "
        "the ledger), as JSON",
        JOBS,
    ),
    "unsigned": Key(
        "due:receipt",
        "zset: 'job/attempt' that ended and has no receipt yet, by the time of its next try",
        "producer:w control:rw host:w metrics:r",
    ),
    "receipts": Key(
        "receipts:{id}", "hash: attempt -> its signed receipt, compressed; outlives the job", "producer:r control:rw"
    ),
    "events": Key("events", "stream: every move of every job, newest ones only", "producer:w control:w host:w"),
    "counters": Key(
        "counters",
        "hash: what was counted since the site began; its fields stand in domain/counting.py",
        "producer:rw control:rw host:rw metrics:r",
    ),
    "standing": Key(
        "standing",
        "hash: 'project/state' -> how many jobs of the project are in the state",
        "producer:rw control:rw host:rw metrics:r",
    ),
    "sweeps": Key(
        "sweeps",
        "hash: sweep -> when it last succeeded, and notes of its own as 'sweep.note'",
        "producer:r control:rw host:r metrics:r",
    ),
    "canary": Key(
        "canary",
        "hash: 'role/name' of a process of the fleet -> when it last proved that it gets work done",
        "operator:rw control:rw host:rw metrics:r",
    ),
    "canary_trouble": Key(
        "canary:trouble",
        "hash: 'role/name' -> what a process says is wrong with itself",
        "operator:rw control:rw host:rw",
    ),
}
