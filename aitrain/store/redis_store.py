"""The job store: the truth about every job, in Redis. One method per verb; each write is one atomic script.

Every write may be applied twice without harm, because the client sends a command again when a connection breaks before
the answer: moves carry an operation's id, everything else sets what it says rather than adding to it.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import Any

from redis import Redis
from redis.backoff import ExponentialWithJitterBackoff
from redis.retry import Retry

from aitrain.domain.admission import Admitted
from aitrain.domain.billing import LedgerRow
from aitrain.domain.errors import InvalidInput, JobNotFound, QuotaExceeded
from aitrain.domain.flavor import Kind
from aitrain.domain.job import Job, VolumeProgress
from aitrain.domain.placement import Assignment, Vacancy, Waiting
from aitrain.domain.states import EndCause, InfoCode, State, sources
from aitrain.store.answers import HostJob, Lease, LogLine, Moved, Seen, Submitted, to_host_job
from aitrain.store.keys import Keys
from aitrain.store.records import job_fields, ledger_fields, to_job, to_ledger_row
from aitrain.store.scripts import Scripts, answering

# A command that got no answer is sent again at once and twice more: an outage is told within seconds, a blip is not.
RETRIES = 3
SOCKET_TIMEOUT_SECONDS = 5.0
CONNECT_TIMEOUT_SECONDS = 2.0


def fence(attempt: int) -> str:
    """A new fence for an attempt: its number for people, a random token for the comparison."""
    return f"{attempt}.{_token()}"


def _token() -> str:
    return uuid.uuid4().hex[:16]


class Store:
    """The job store of one site."""

    def __init__(
        self, url: str, *, namespace: str = "aitrain", grace_ms: int = 10_000, clock_ms: Callable[[], int] | None = None
    ) -> None:
        """url: redis:// or rediss://; namespace: prefix of every key; grace_ms: how long the message of a state's step
        may be under way before it is sent again; clock_ms: for simulations, the time to use instead of the server's.

        Raises InvalidInput if the URL is not one of Redis. Does not connect yet.
        """
        try:
            self._redis = Redis.from_url(
                url,
                decode_responses=True,
                retry=Retry(ExponentialWithJitterBackoff(base=0.05, cap=0.5), RETRIES),
                socket_timeout=SOCKET_TIMEOUT_SECONDS,
                socket_connect_timeout=CONNECT_TIMEOUT_SECONDS,
                socket_keepalive=True,
            )
        except ValueError as error:
            raise InvalidInput.of("redis_url", "", "is not a Redis URL", "write redis://host:6379/0") from error
        self._key = Keys(namespace)
        self._run = Scripts(self._redis, self._key.root, clock_ms)
        self._grace_ms = grace_ms

    def close(self) -> None:
        """Closes its connections."""
        self._redis.close()

    # ── jobs ────────────────────────────────────────────────────────────────────────────────────────────────────

    def submit(self, job_id: str, admitted: Admitted) -> Submitted:
        """Writes a new job, QUEUED. Submitting the same id again changes nothing.

        Raises QuotaExceeded (nothing is written) and StoreUnavailable.
        """
        answer = self._run(
            "submit",
            {"id": job_id, "fence": fence(1), "op": _token(), "job": job_fields(admitted), "units": admitted.units},
        )
        if answer.get("refused"):
            raise QuotaExceeded(
                project=admitted.spec.project, kind=admitted.kind, limit=answer["limit"], used=answer["used"],
                asked=admitted.units,
            )  # fmt: skip
        job = to_job(job_id, answer["job"], answer["history"], [])
        return Submitted(job, may_start=answer["free"] >= admitted.units)

    def transition(
        self,
        job_id: str,
        fence: str,
        to: State,
        *,
        only_from: Iterable[State] | None = None,
        holder: str | None = None,
        code: InfoCode | None = None,
        message: str = "",
        cause: EndCause | None = None,
        fields: Mapping[str, str | int] | None = None,
        rows: Sequence[LedgerRow] = (),
    ) -> Moved:
        """Moves a job, if its fence is this one and it stands in a state from which it may go there.

        only_from: narrower than the table; holder: and only while this worker holds the lease of its step; cause: why
        the attempt ended, kept unless one is known already; fields: facts of the attempt; rows: ledger rows that the
        move makes final. Answers moved=False when late. Raises StoreUnavailable.
        """
        froms = sorted(sources(to).intersection(sources(to) if only_from is None else only_from))
        arguments: dict[str, Any] = {
            "id": job_id, "fence": fence, "from": froms, "to": to, "op": _token(), "message": message,
            "fields": {name: str(value) for name, value in (fields or {}).items()}, "grace_ms": self._grace_ms,
            "rows": [ledger_fields(row) for row in rows],
        }  # fmt: skip
        if rows:
            arguments["written"] = rows[-1].minute + 1
        if to is State.QUEUED:
            arguments["token"] = _token()
        arguments |= {k: v for k, v in {"holder": holder, "code": code, "cause": cause}.items() if v is not None}
        return _moved(self._run("transition", arguments))

    def stop(self, job_id: str, message: str) -> Moved:
        """Orders a job to stop. moved=False: it was ending or had ended already.

        Raises JobNotFound and StoreUnavailable.
        """
        answer = _moved(self._run("stop", {"id": job_id, "op": _token(), "message": message}))
        if answer.state is None:
            raise JobNotFound(job_id)
        return answer

    def get(self, job_id: str) -> Job:
        """The job as it stands.

        Raises JobNotFound and StoreUnavailable.
        """
        jobs = self.get_many([job_id])
        if not jobs:
            raise JobNotFound(job_id)
        return jobs[0]

    def get_many(self, job_ids: Sequence[str]) -> list[Job]:
        """Those of the jobs that there are, in one round trip."""
        pipe = self._redis.pipeline(transaction=True)
        for job_id in job_ids:
            pipe.hgetall(self._key("job", job_id))
            pipe.lrange(self._key("history", job_id), 0, -1)
            pipe.lrange(self._key("attempts", job_id), 0, -1)
        found = self._ask(pipe.execute)
        triples = zip(job_ids, found[0::3], found[1::3], found[2::3], strict=True)
        return [to_job(job_id, fields, history, ends) for job_id, fields, history, ends in triples if fields]

    def newest(self, *, project: str | None, state: State | None, limit: int) -> list[Job]:
        """The newest jobs, of one project or in one state if given (by time of entering it), newest first."""
        if state is not None:
            key = self._key("state", state)
        else:
            key = self._key("jobs") if project is None else self._key("project_jobs", project)
        jobs: list[Job] = []
        start = 0
        while len(jobs) < limit:
            ids = self._ask(partial(self._redis.zrevrange, key, start, start + limit - 1))
            if not ids:
                break
            jobs += [job for job in self.get_many(ids) if project in (None, job.project)]
            start += limit
        return jobs[:limit]

    # ── placement ───────────────────────────────────────────────────────────────────────────────────────────────

    def placement_view(self, window: int) -> tuple[dict[str, list[Waiting]], dict[str, list[Vacancy]]]:
        """What waits (the first `window` jobs of each flavor) and what is free, by flavor, where there is both."""
        view = self._run("placement_view", {"window": window})
        waiting = {
            flavor: [
                Waiting(job_id, fence, Kind(kind), flavor, units, ms / 1000) for job_id, fence, kind, units, ms in jobs
            ]
            for flavor, jobs in dict(view["waiting"]).items()
        }
        vacancies = {
            flavor: [Vacancy(host, tuple(units), room, int(capacity)) for host, units, room, capacity in hosts]
            for flavor, hosts in dict(view["vacancies"]).items()
        }
        return waiting, vacancies

    def assign(self, assignment: Assignment) -> str | None:
        """Commits an assignment: reserves its units and moves the job to INITIALIZING, or changes nothing (None).

        Returns the fence of the run. It is made here, so that a store that lost its last second in a crash does not
        hand out the fence of a run that has begun.
        """
        attempt, _, _ = assignment.fence.partition(".")
        answer = self._run(
            "assign",
            {
                "id": assignment.job_id,
                "fence": assignment.fence,
                "run_fence": fence(int(attempt)),
                "host": assignment.host,
                "units": assignment.units,
                "op": _token(),
                "grace_ms": self._grace_ms,
            },
        )
        return str(answer["fence"]) if answer["moved"] else None

    # ── steps ───────────────────────────────────────────────────────────────────────────────────────────────────

    def begin_step(self, lease: Lease, ttl_ms: int, host: str, instance: str) -> tuple[Moved, Job | None]:
        """Takes the lease on a step's work for a worker of the host, and reads the job (without its history).

        moved=False and no job: an old or doubled message, or another worker is at it.
        """
        answer = self._run("begin_step", {**_lease(lease), "ttl_ms": ttl_ms, "host": host, "instance": instance})
        job = to_job(lease.job_id, answer["job"], [], []) if answer["begun"] else None
        return _moved({**answer, "moved": answer["begun"]}), job

    def renew_leases(self, leases: Sequence[Lease], ttl_ms: int) -> list[bool]:
        """Renews leases; False for each whose job moved on or that went to another."""
        answer = self._run("renew_leases", {"leases": [_lease(lease) for lease in leases], "ttl_ms": ttl_ms})
        return [bool(kept) for kept in answer]

    def release_lease(self, lease: Lease) -> bool:
        """Gives a lease back before it lapses."""
        arguments = {"id": lease.job_id, "fence": lease.fence, "holder": lease.holder}
        return bool(self._run("release_lease", arguments)["released"])

    def hand_over(self, lease: Lease) -> bool:
        """Gives a RUNNING job into the hands of its host's agent: its monitor step is over."""
        return bool(self._run("hand_over", {"id": lease.job_id, "fence": lease.fence, "holder": lease.holder})["done"])

    def set_fields(self, job_id: str, fence: str, fields: Mapping[str, str | int]) -> bool:
        """Writes facts of an attempt that are no move; False if the fence is not the current one."""
        values = {name: str(value) for name, value in fields.items()}
        return bool(self._run("set_fields", {"id": job_id, "fence": fence, "fields": values})["written"])

    def set_progress(self, job_id: str, fence: str, progress: Mapping[str, VolumeProgress]) -> bool:
        """Writes how far the copies of an attempt are, by mount path; False if the fence is not the current one."""
        text = json.dumps({path: now.model_dump() for path, now in progress.items()})
        return self.set_fields(job_id, fence, {"progress": text})

    # ── hosts ───────────────────────────────────────────────────────────────────────────────────────────────────

    def join_host(
        self, host: str, *, instance: str, units: Mapping[str, Sequence[str]], max_jobs: int, ttl_ms: int
    ) -> bool:
        """Registers a host with the units it offers, by flavor. True: a job may wait for them.

        instance: which machine it is. Raises InvalidInput while another machine holds the lease of this name.
        """
        answer = self._run(
            "join_host", {"host": host, "instance": instance, "max_jobs": max_jobs, "units": units, "ttl_ms": ttl_ms}
        )
        if not answer["joined"]:
            raise InvalidInput.of(
                "host.name", host, "is the name of another machine that is alive", "give each host a name of its own"
            )
        return bool(answer["waiting"])

    def heartbeat(
        self, host: str, *, instance: str, seen: Sequence[Seen], ttl_ms: int, resend_ms: int
    ) -> list[HostJob] | None:
        """Renews a host's lease, tells how long its jobs were seen running, and brings back its orders.

        instance: which machine it is. None: the store does not know the host, or another machine has its name; it must
        join (again).
        """
        answer = self._run(
            "heartbeat",
            {
                "host": host, "instance": instance, "ttl_ms": ttl_ms, "resend_ms": resend_ms,
                "seen": [{"id": s.job_id, "fence": s.fence, "ran_ms": s.ran_ms} for s in seen],
            },
        )  # fmt: skip
        return [to_host_job(row) for row in answer["jobs"]] if answer["known"] else None

    def host_jobs(self, host: str, only: str = "") -> list[HostJob]:
        """What the host should be doing now; of one job only, if its id is given."""
        return [to_host_job(row) for row in self._run("host_jobs", {"host": host, "only": only})]

    # ── sweeps, ledger, quotas ──────────────────────────────────────────────────────────────────────────────────

    def sweep_deadlines(self, limit: int) -> list[str]:
        """Marks up to `limit` jobs whose timeout was reached; their ids."""
        return list(self._run("sweep_deadlines", {"limit": limit}))

    def due_billing(self, limit: int) -> list[Job]:
        """Up to `limit` running jobs whose next minute may have begun."""
        return self.get_many(list(self._run("due_billing", {"limit": limit})))

    def bill(self, job: Job, rows: Sequence[LedgerRow], again_ms: int) -> bool:
        """Writes rows of a running job and says in how many ms its next minute may begin; False if it moved on."""
        arguments: dict[str, Any] = {
            "id": job.id, "fence": job.fence, "rows": [ledger_fields(row) for row in rows], "again_ms": again_ms
        }  # fmt: skip
        if rows:
            arguments["written"] = rows[-1].minute + 1
        return bool(self._run("bill", arguments)["billed"])

    def ledger(self, project: str, month: str | None = None) -> list[LedgerRow]:
        """A project's rows, of one month ("2026-11") or of all, in order of time."""
        months = self._ask(lambda: self._redis.smembers(self._key("ledger_months", project)))
        rows = [
            to_ledger_row(project, key, row)
            for held in sorted(months)
            if month in (None, held)
            for key, row in self._ask(partial(self._redis.hgetall, self._key("ledger", project, held))).items()
        ]
        return sorted(rows, key=lambda row: (row.begins_ms, row.job_id))

    def sweep_done(self, sweep: str, at_ms: int) -> None:
        """Records that a sweep succeeded."""
        self._ask(lambda: self._redis.hset(self._key("sweeps"), sweep, at_ms))

    def set_quota(self, project: str, kind: Kind, limit: int | None) -> None:
        """Sets a project's quota of units of a kind; None lifts it."""
        key, field = self._key("quota_limit"), f"{project}/{kind}"
        if limit is None:
            self._ask(lambda: self._redis.hdel(key, field))
        else:
            self._ask(lambda: self._redis.hset(key, field, limit))

    # ── logs ────────────────────────────────────────────────────────────────────────────────────────────────────

    def append_log(
        self, job_id: str, fence: str, *, cursor: str, next_cursor: str, lines: Sequence[LogLine], max_bytes: int
    ) -> tuple[str, bool]:
        """Appends lines read from `cursor` on, if the log still stands there.

        Returns where it stands now, and whether it is full (nothing more will be kept).
        """
        cut = LogLine(lines[-1].at if lines else "", f"[aitrain: the log is cut here: it passed {max_bytes} bytes]")
        answer = self._run(
            "append_log",
            {
                "id": job_id, "fence": fence, "cursor": cursor, "next_cursor": next_cursor, "max_bytes": max_bytes,
                "lines": [_log_json(line) for line in lines], "last": _log_json(cut),
            },
        )  # fmt: skip
        return answer["cursor"], bool(answer["full"])

    def log_cursor(self, job_id: str) -> tuple[str, bool]:
        """Up to where the log of the current attempt was read, and whether it is full."""
        key = self._key("job", job_id)
        cursor, kept = self._ask(lambda: self._redis.hmget(key, ["log_cursor", "log_bytes"]))
        return cursor or "", kept == "-1"

    def log(self, job_id: str, attempt: int, start: int = 0) -> list[LogLine]:
        """The lines kept of an attempt, from the one with index `start` on."""
        lines = self._ask(lambda: self._redis.lrange(self._key("log", job_id, attempt), start, -1))
        return [LogLine(*json.loads(line)) for line in lines]

    def _ask(self, command: Callable[[], Any]) -> Any:
        with answering():
            return command()


def _moved(answer: dict[str, Any]) -> Moved:
    state = answer.get("state")
    return Moved(bool(answer["moved"]), State(state) if state else None, answer.get("fence"), answer.get("waiting", 0))


def _lease(lease: Lease) -> dict[str, str]:
    return {"id": lease.job_id, "fence": lease.fence, "state": lease.state, "holder": lease.holder}


def _log_json(line: LogLine) -> str:
    return json.dumps([line.at, line.text], ensure_ascii=False)
