"""Jobs: submitting, moving, reading."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

from aitrain.domain.admission import Admitted
from aitrain.domain.errors import AitrainError, InvalidInput, JobNotFound, StoreUnavailable
from aitrain.domain.job import Job
from aitrain.domain.retry import Again
from aitrain.domain.states import EndCause, InfoCode, State, sources
from aitrain.store.answers import Moved, Submitted, to_moved
from aitrain.store.connection import Connection, fence, token
from aitrain.store.packing import packed
from aitrain.store.records import job_fields, to_job, unsettled
from aitrain.store.refusals import refusal

# Written by one script, which keeps all others waiting meanwhile, for some 30 ms. Large specs are cut by their size.
BATCH_JOBS = 200
BATCH_CHARACTERS = 1024 * 1024

# Ids, what was admitted, and the fields of the hashes.
Batch = list[tuple[str, Admitted, dict[str, str]]]
# Of each job that has secret variables: name -> token.
SealedEnv = Mapping[str, Mapping[str, str]]


class Jobs(Connection):
    """A job's way from its submission to its end."""

    def submit(self, job_id: str, admitted: Admitted, sealed: Mapping[str, str] | None = None) -> Submitted:
        """Writes a new job, QUEUED; held, where its project's jobs over the quota are.

        sealed: its secret variables, name -> token. Submitting the same id again changes nothing.

        Raises QuotaExceeded, BudgetExceeded, InvalidInput for the id of a deleted job or one without a timeout under a
        budget (nothing is written), and StoreUnavailable.
        """
        secrets = {job_id: sealed} if sealed else {}
        (batch,) = _batches([(job_id, admitted)], secrets)
        (answer,) = _answers(batch, self._write(batch, secrets))
        if isinstance(answer, AitrainError):
            raise answer
        return answer

    def submit_many(
        self, jobs: Sequence[tuple[str, Admitted]], sealed: SealedEnv | None = None
    ) -> list[Submitted | AitrainError]:
        """Writes new jobs, many in one act; in their order, what submit() returns or raises for each.

        sealed: the secret variables of those that have any, by job. StoreUnavailable for one: it may or may not be
        written; those after it are not tried any more.
        """
        answers: list[Submitted | AitrainError] = []
        try:
            for batch, told in self._written(_batches(jobs, sealed or {}), sealed or {}):
                answers += _answers(batch, told)
        except StoreUnavailable as error:
            answers += [error] * (len(jobs) - len(answers))
        return answers

    def _written(self, batches: Iterator[Batch], sealed: SealedEnv) -> Iterator[tuple[Batch, list[dict[str, Any]]]]:
        """Each batch with the store's answer. While that is read and a later batch is made, it writes the next one."""
        with ThreadPoolExecutor(1) as sender:
            under_way: tuple[Batch, Future[list[dict[str, Any]]]] | None = None
            while (batch := next(batches, None)) or under_way:
                done = under_way and (under_way[0], under_way[1].result())
                under_way = (batch, sender.submit(self._write, batch, sealed)) if batch else None
                if done:
                    yield done

    def _write(self, batch: Batch, sealed: SealedEnv) -> list[dict[str, Any]]:
        asked = [
            {
                "id": job_id, "fence": fence(1), "op": token(), "job": fields,
                **({"sealed": sealed[job_id]} if job_id in sealed else {}),
            }
            for job_id, _, fields in batch
        ]  # fmt: skip
        told: list[dict[str, Any]] = self._run("submit", {"jobs": asked})
        return told

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
        ran_ms: int | None = None,
        age_ms: int | None = None,
        again: Again | None = None,
        pause_ms: int = 0,
        lost_ms: int | None = None,
        keep_ms: int | None = None,
        listing: tuple[str, Mapping[str, Any]] | None = None,
    ) -> Moved:
        """Moves a job, if its fence is this one and it stands in a state from which it may go there.

        only_from: narrower than the table; holder: and only while this worker holds the lease of its step; cause: why
        the attempt ended, kept unless one is known already; fields: facts of the attempt; ran_ms: how long its
        container has run by now, by its host's clock; age_ms: to RUNNING, how long ago it began; again, pause_ms: to
        QUEUED, why it runs again, and for how long it waits before; lost_ms: only while its host is lost, and silent
        for at least so long; keep_ms: its results could not be pushed, and are kept on its host for so long, 0 for
        ever; listing: "inputs" or "outputs" of domain.receipt.Listings, for the attempt's receipt. Answers moved=False
        when late. Raises StoreUnavailable.
        """
        froms = sorted(sources(to).intersection(sources(to) if only_from is None else only_from))
        arguments: dict[str, Any] = {
            "id": job_id, "fence": fence, "from": froms, "to": to, "op": token(), "message": message,
            "fields": {name: str(value) for name, value in (fields or {}).items()}, "grace_ms": self._grace_ms,
        }  # fmt: skip
        if to is State.QUEUED:
            arguments |= {"token": token(), "again": again or Again.PLATFORM, "pause_ms": pause_ms}
        given = {
            "holder": holder, "code": code, "cause": cause, "lost_ms": lost_ms, "keep_ms": keep_ms, "ran_ms": ran_ms,
            "age_ms": age_ms,
        }  # fmt: skip
        arguments |= {name: value for name, value in given.items() if value is not None}
        if listing is not None:
            arguments["listing"] = {"part": listing[0], "text": packed(listing[1])}
        return to_moved(self._run("transition", arguments))

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
            pipe.get(self._key("settled", job_id))
            pipe.lrange(self._key("history", job_id), 0, -1)
            pipe.lrange(self._key("attempts", job_id), 0, -1)
        found = self._ask(pipe.execute)
        of_each = zip(job_ids, found[0::4], found[1::4], found[2::4], found[3::4], strict=True)
        return [
            to_job(job_id, *unsettled(fields, settled, history), ends)
            for job_id, fields, settled, history, ends in of_each
            if fields and "deleted_ms" not in fields
        ]

    def was_deleted(self, job_id: str) -> bool:
        """Whether a job was deleted within the last day."""
        return bool(self._ask(lambda: self._redis.hexists(self._key("job", job_id), "deleted_ms")))

    def existing(self, job_ids: Sequence[str]) -> set[str]:
        """Those of the ids of which there is a job, or was one until lately."""
        pipe = self._redis.pipeline(transaction=False)
        for job_id in job_ids:
            pipe.exists(self._key("job", job_id))
        found = self._ask(pipe.execute)
        return {job_id for job_id, there in zip(job_ids, found, strict=True) if there}


def _batches(jobs: Sequence[tuple[str, Admitted]], sealed: SealedEnv) -> Iterator[Batch]:
    batch: Batch = []
    size = 0
    for job_id, admitted in jobs:
        fields = job_fields(admitted)
        length = len(fields["spec"]) + sum(len(one) for one in sealed.get(job_id, {}).values())
        if batch and (len(batch) >= BATCH_JOBS or size + length > BATCH_CHARACTERS):
            yield batch
            batch, size = [], 0
        batch.append((job_id, admitted, fields))
        size += length
    if batch:
        yield batch


def _answers(batch: Batch, told: list[dict[str, Any]]) -> list[Submitted | AitrainError]:
    return [_answered(*one, answer) for one, answer in zip(batch, told, strict=True)]


def _answered(
    job_id: str, admitted: Admitted, fields: dict[str, str], answer: dict[str, Any]
) -> Submitted | AitrainError:
    if (error := refusal(answer)) is not None:
        return error
    if answer.get("deleted"):
        return InvalidInput.of("job_id", job_id, "was a job that is deleted", "submit with another id, or none")
    told = answer["job"]
    # The store repeats the spec only of a job that was there before.
    spec = None if "spec" in told else admitted.spec
    job = to_job(job_id, fields | told, answer["history"], [], spec)
    return Submitted(job, may_start=answer["free"] >= admitted.units)
