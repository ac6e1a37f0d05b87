"""The client: what producers, the command line and the agents call."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, Unpack
from uuid import UUID

from aitrain.bills import Bills
from aitrain.broker import Broker
from aitrain.data_orders import POLL_SECONDS, DataOrders
from aitrain.dispatch import Dispatcher
from aitrain.domain.admission import default_timeout, timeout_problem
from aitrain.domain.billing import LedgerLine
from aitrain.domain.checked import MOST, checked_project, checked_states, checked_whole
from aitrain.domain.errors import InvalidInput, ReceiptNotFound, StoreUnavailable
from aitrain.domain.job import HistoryEntry, Job
from aitrain.domain.months import checked_month
from aitrain.domain.orders import JobEdit
from aitrain.domain.spec import JobSpec, MoreFields
from aitrain.domain.states import State
from aitrain.domain.volume import Volume
from aitrain.limits import ProjectLimits
from aitrain.operations import Operations
from aitrain.sessions import RunningJobs
from aitrain.settings import Settings, load_settings
from aitrain.store import LogLine, Ordered, Store, UnitCount, Wanted
from aitrain.submissions import Submission, Submissions
from aitrain.watching import Patience, Watch

if TYPE_CHECKING:  # imported where they are needed: a producer that only submits does not wait for them to load
    from aitrain.buckets import Buckets
    from aitrain.data_stores import DataStores
    from aitrain.domain.audit import Audited, Difference
    from aitrain.domain.waiting import Explanation
    from aitrain.log_reader import LogReader
    from aitrain.registries import Registries


def open_store(settings: Settings) -> Store:
    """The job store that the settings name."""
    return Store(
        settings.redis_url,
        ca_file=settings.redis_ca_file,
        namespace=settings.namespace,
        grace_ms=int(settings.timing.message_grace_seconds * 1000),
        half_life_ms=int(settings.timing.fair_share_half_life_seconds * 1000),
        over_quota=settings.limits.over_quota,
    )


class Client(Submissions, DataOrders, Operations, Bills, ProjectLimits, RunningJobs):
    """One connection to a site. Safe to share between threads.

    What operators order of hosts and see of them stands in aitrain.operations, bills in aitrain.bills, quotas and
    budgets in aitrain.limits, orders to copy data in aitrain.data_orders, commands in running jobs and what these use
    in aitrain.sessions.

    Every method raises StoreUnavailable if the job store does not answer within seconds.
    """

    def __init__(self, settings: Settings | None = None) -> None:
        """settings: read from the environment and the file if not given (see aitrain.settings)."""
        self.settings = settings or load_settings()
        self._store = open_store(self.settings)
        self._broker = Broker(self.settings)
        self._dispatcher = Dispatcher(self.settings, self._store, self._broker)
        self._site = self.settings.site
        self._silence_s = self.settings.timing.session_silence_seconds

    @cached_property
    def data_stores(self) -> DataStores:
        """The data stores of projects, to add, list, show and remove (see aitrain.data_stores)."""
        from aitrain.data_stores import DataStores

        return DataStores(self.settings, self._store, self._broker)

    @cached_property
    def registries(self) -> Registries:
        """The registries of projects, to add, list, show and remove (see aitrain.registries)."""
        from aitrain.registries import Registries

        return Registries(self.settings, self._store, self._broker)

    @cached_property
    def buckets(self) -> Buckets:
        """Containers of data stores and their objects (see aitrain.buckets)."""
        from aitrain.buckets import Buckets

        return Buckets(self.settings, self._store)

    def get(self, job_id: str) -> Job:
        """The job as it stands. Raises JobNotFound."""
        return self._store.get(job_id)

    def explain(self, job_id: str) -> Explanation:
        """Why a job waits: the reason, its place in the queue, when it starts at the latest, what would start at once.

        Of a job that does not wait it says so. Raises JobNotFound.
        """
        job = self.get(job_id)
        others = [name for name, one in self._site.flavors.items() if one.kind is job.kind and name != job.flavor]
        fitting = [name for name in others if self._site.flavors[name].max_units >= job.units]
        return self._store.explain(job_id, fitting)

    def find(self, ref: str, *, project: str | None = None) -> str:
        """The id of the job that a reference means: a whole id, an unambiguous beginning of one, or a job's name.

        project: look among its jobs only. Raises JobNotFound, and AmbiguousJob, which names up to 5 candidates.
        """
        return self._store.find(ref, project)

    def iter_jobs(
        self,
        *,
        project: str | None = None,
        states: Collection[State] = (),
        labels: Mapping[str, str | None] | None = None,
        user: str | None = None,
        name: str | None = None,
        created_after_ms: int | None = None,
        created_before_ms: int | None = None,
        limit: int | None = None,
    ) -> Iterator[Job]:
        """The jobs that fit, the newest first, read in pages while one goes on: `for job in client.iter_jobs(): ...`.

        states: in any of them; labels: with each of them, of any value if that is None; name: exactly this;
        created_*_ms: Unix ms, from "after" on and before "before"; limit: at most so many. What is submitted meanwhile
        makes no job come twice or be left out; each is as it stands when its page is read. Raises InvalidInput at once.
        """
        if isinstance(states, str) or not set(states) <= set(State):
            remedy = f"give a list of some of: {', '.join(State)}"
            raise InvalidInput.of(
                "states", states if isinstance(states, str) else list(states), "are no states", remedy
            )
        for field, ms in (("created_after_ms", created_after_ms), ("created_before_ms", created_before_ms)):
            if ms is not None:
                checked_whole(field, ms, "is no time", "give Unix milliseconds", low=-MOST)
        if limit is not None:
            checked_whole("limit", limit, "is no number of jobs", "give a whole number of 0 or more, or none for all")
        wanted = Wanted(
            project, checked_states(states), dict(labels or {}), user, name, created_after_ms, created_before_ms
        )
        return self._store.iter_jobs(wanted, limit)

    def stop(self, job_id: str, *, by: str = "") -> Ordered:
        """Orders a job to stop: SIGTERM, a grace period, SIGKILL; its data is pushed back, and it does not run again.

        done=False in the answer: it was "ending" or had "ended", as `why` says. Raises JobNotFound.
        """
        return self._store.stop(job_id, f"stopped by {by}" if by else "stopped")

    def start(self, job_id: str, *, by: str = "") -> Ordered:
        """Queues an ended job again: the same id and spec, the next attempt.

        done=False in the answer: it is "alive", that is, it has not ended. Raises JobNotFound, QuotaExceeded
        and BudgetExceeded.
        """
        answer = self._store.start(job_id, f"started again by {by}" if by else "started again")
        if answer.done:
            self._place(job_id)
        return answer

    def delete(self, job_id: str, *, force: bool = False, by: str = "") -> Ordered:
        """Deletes an ended job: its spec, history and logs. What it was billed stays in the ledger.

        force: stop one that has not ended; it goes when it has. done=False in the answer: the job is "alive", or
        "stopping" and gone soon, or "unknown", that is, gone already.
        """
        return self._store.delete(job_id, force=force, message=f"deleted by {by}" if by else "deleted")

    def edit(self, job_id: str, edit: JobEdit) -> Ordered:
        """Changes the timeout, auto-restart or labels of a job; the deadline of a running job moves with its timeout.

        done=False in the answer: its timeout was reached already, it is "ending". Raises InvalidInput if the timeout is
        longer than the site or the job's project allows, BudgetExceeded if the project cannot afford it, and
        JobNotFound.
        """
        timeout_s = None
        if edit.timeout is not None:
            longest_s = self._longest_timeout_s(self.get(job_id).project)
            timeout_s = edit.timeout or default_timeout(self._site, longest_s)
            if (problem := timeout_problem(timeout_s, longest_s)) is not None:
                raise InvalidInput([problem])
        return self._store.edit(
            job_id,
            timeout_s=timeout_s,
            auto_restart=edit.auto_restart,
            labels=edit.labels,
            drop_labels=edit.drop_labels,
        )

    def wait(
        self,
        job_id: str,
        *,
        timeout: float | None = None,
        on_change: Callable[[HistoryEntry], None] | None = None,
        on_progress: Callable[[Job], None] | None = None,
    ) -> Job:
        """Waits until the job has ended, and returns it.

        timeout: seconds; on_change: called for every state, from the first on; on_progress: called with the job
        whenever its state or the progress of its copies has changed. Raises JobNotFound and WaitTimeout, and
        StoreUnavailable when the job store has been away for 15 minutes, or is when the time is over.
        """
        watch, patience = Watch(timeout, on_change, on_progress), Patience()
        while True:
            try:
                job = self.get(job_id)
            except StoreUnavailable as error:
                if watch.late or not patience.bears(error):
                    raise
            else:
                patience.answered()
                if watch.over(job):
                    return job
            time.sleep(POLL_SECONDS)

    def logs(
        self,
        job_id: str,
        *,
        follow: bool = False,
        attempt: int | None = None,
        tail: int | None = None,
        since_ms: int | None = None,
    ) -> Iterator[LogLine]:
        """What the container wrote, line by line, in the order in which the engine recorded it.

        follow: go on until all that the container wrote is read; attempt: counted from 1, the newest if not given;
        tail: begin with the last so many lines; since_ms: leave out what is older, Unix ms. Where lines are missing,
        one of the stream "aitrain" says how many, and why. Raises JobNotFound and InvalidInput at once, and on the way
        LogUnavailable if lines that are in the object store cannot be read, and StoreUnavailable and BrokerUnavailable:
        with `follow` only when they have been away for 15 minutes.
        """
        return self._log_reader(job_id, attempt).lines(follow=follow, tail=tail, since_ms=since_ms)

    def _log_reader(self, job_id: str, attempt: int | None = None) -> LogReader:
        """Reads one attempt's log in pieces, for those who wait in their own way. Raises as logs() does at once."""
        from aitrain.log_reader import LogReader

        return LogReader(self._store, self._broker, job_id, attempt, self.settings.timing.check_seconds)

    def ledger(self, project: str, month: str | None = None) -> Sequence[LedgerLine]:
        """The billed minutes of a project, of one month ("2026-11") or of all, in order of time.

        Raises InvalidInput for a project or a month that is none: there would be no minutes, and that would look right.
        """
        lines = self._store.ledger_lines(checked_project(project), None if month is None else checked_month(month))
        return sorted(lines, key=lambda line: (line.begins_ms, line.job_id))

    def audit(
        self,
        *,
        project: str | None = None,
        month: str | None = None,
        tell: Callable[[Difference], None] = lambda _: None,
    ) -> Audited:
        """Recomputes what jobs owe from their histories and compares it with the ledger: of all, or of one project or
        month ("2026-11").

        tell: called with each difference; the answer says how many there are, and how much was looked at. Raises
        InvalidInput for a project or a month that is none: nothing would be looked at, and all would look right.
        """
        from aitrain.audit import Audit

        if month is not None:
            checked_month(month)
        if project is not None:
            checked_project(project)
        return Audit(self._store, project, month, tell).run()

    def receipt(self, job_id: str, attempt: int | None = None) -> dict[str, Any]:
        """The signed receipt of an attempt that has ended, of the newest that has one if none is given.

        The job may be deleted. See docs/reference/receipts.md for what stands in it. Raises ReceiptNotFound.
        """
        held = self._store.receipts(job_id)
        if not held or attempt not in (None, *held):
            raise ReceiptNotFound(job_id, attempt)
        return held[attempt or max(held)]

    def units(self) -> Mapping[str, UnitCount]:
        """How many units of each flavor hosts offer that are alive, and how many of them are free, by flavor."""
        return self._store.units()

    def _longest_timeout_s(self, project: str) -> int:
        own = self._store.timeout_limit(project)
        return self._site.max_timeout_s if own is None else own

    def close(self) -> None:
        """Closes its connections."""
        self._store.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self.close()


_shared: Client | None = None


def submit_job(
    image: str,
    command: Sequence[str] | str = (),
    *,
    gpu: int | None = None,
    cpu: int | None = None,
    flavor: str | None = None,
    env: Mapping[str, str] | None = None,
    volumes: Sequence[Volume | str] = (),
    client: Client | None = None,
    job_id: str | UUID | None = None,
    **fields: Unpack[MoreFields],
) -> Job:
    """Queues a training job and returns it.

    image: Docker image reference; command: arguments, or one string split as a shell would; gpu, cpu: whole units (GPUs
    win; 1 GPU if neither is given); flavor: the kind of unit; env: variables; volumes: as objects or as
    "container@alias/prefix:mount_path:permission"; client: to use instead of one shared by the process; job_id: a
    UUID of the caller's choice, which makes submitting safe to repeat; fields: any other field of JobSpec (secret_env,
    timeout and warning_seconds in seconds, warning_signal, priority, auto_restart, max_retries, retry_exit_codes,
    platform_retries, on_host_loss, labels, name, project, user).

    Raises InvalidInput, QuotaExceeded and BudgetExceeded; then nothing was queued. StoreUnavailable: see Client.submit.
    """
    asked = {"gpu": gpu, "cpu": cpu, "flavor": flavor}
    named = {name: value for name, value in asked.items() if value is not None}
    spec = JobSpec.of(image=image, command=command, env=env or {}, volumes=volumes, resources=named, **fields)
    return (client or _shared_client()).submit(spec, job_id=job_id)


def submit_jobs(
    specs: Iterable[JobSpec], *, client: Client | None = None, job_ids: Sequence[str | UUID] | None = None
) -> list[Submission]:
    """Queues many jobs in few round trips; in their order, what became of each: its job, or its error.

    client: to use instead of one shared by the process; job_ids: UUIDs of the caller's choice, one for each spec, which
    make it safe to repeat. See Client.submit_many.

        specs = [JobSpec.of(image="trainer:1", command=["train", f"--lr={lr}"]) for lr in (0.1, 0.01)]
        jobs = [one.result() for one in submit_jobs(specs)]
    """
    return (client or _shared_client()).submit_many(list(specs), job_ids=job_ids)


def _shared_client() -> Client:
    global _shared
    _shared = _shared or Client()
    return _shared
