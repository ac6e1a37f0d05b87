"""Submitting: one job, or thousands in few round trips. Part of the client."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING
from uuid import UUID, uuid4

from aitrain.dispatch import Dispatcher
from aitrain.domain.admission import Admitted, ProjectTerms, Site, admit
from aitrain.domain.errors import AitrainError, InvalidInput, StoreUnavailable
from aitrain.domain.job import Job
from aitrain.domain.spec import JobSpec
from aitrain.settings import Settings
from aitrain.store import Store, Submitted

if TYPE_CHECKING:
    from aitrain.vault import Sealer

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Submission:
    """What became of one of many jobs that were submitted together: it is queued, or an error says why it is not.

    job_id: of the job, queued or not; job: as it was queued, None if it was not; error: what submitting it alone would
    have raised, None if it is queued. With a StoreUnavailable it may be queued all the same: submit it again with the
    same id, and there will be one.
    """

    job_id: str
    job: Job | None = None
    error: AitrainError | None = None

    def result(self) -> Job:
        """The job. Raises its error if it was not queued."""
        if self.job is None:
            raise self.error or AitrainError(f"job {self.job_id} was not queued")
        return self.job


class Submissions:
    """Submits. Stands on the fields of Client."""

    settings: Settings
    _store: Store
    _site: Site
    _dispatcher: Dispatcher

    def check(self, spec: JobSpec) -> Admitted:
        """What would be submitted: the spec, and what site and project settle of it. Nothing is queued.

        Raises InvalidInput as submit() does. Whether quota and budget have room is known only when it is submitted.
        """
        return admit(spec, self._site, self._store.project_terms(spec.project))

    def submit(self, spec: JobSpec, *, job_id: str | UUID | None = None) -> Job:
        """Queues a job; if a host has room, it starts at once.

        job_id: a UUID of the caller's choice, which makes submitting safe to repeat: the job that has it already is
        returned as it stands, whatever its spec; that of a job that was billed and deleted is refused. Raises
        InvalidInput, QuotaExceeded and BudgetExceeded; then nothing was queued. Raises StoreUnavailable, with the id in
        its text, if the store did not answer: the job may be queued then. Submit it again with the same id, and there
        will be one.
        """
        job_id = _checked_id(job_id)
        try:
            admitted = self.check(spec.without_secrets())
            sealed = {}
            if spec.secret_env:
                sealed = self._seal(job_id, spec, [])
            submitted = self._store.submit(job_id, admitted, sealed)
        except StoreUnavailable as error:
            raise _in_doubt(job_id, error) from error
        if not submitted.may_start:
            return submitted.job
        self._place(job_id)
        with suppress(StoreUnavailable):
            return self._store.get(job_id)
        return submitted.job

    def submit_many(self, specs: Sequence[JobSpec], *, job_ids: Sequence[str | UUID] | None = None) -> list[Submission]:
        """Queues jobs, hundreds in a round trip; in their order, what became of each.

        One that is refused keeps no other out, and nothing is raised for it: look at `error`, or call result(). Those
        for which a host has room start when the last one is queued; each `job` is as it was before that.

        job_ids: UUIDs of the caller's choice, one for each spec, which make it safe to repeat; one that comes again is
        refused. Raises InvalidInput if there are more or fewer of them than specs; then nothing was queued.

            specs = [JobSpec.of(image="trainer:1", command=["train", f"--lr={lr}"]) for lr in rates]
            failed = [one.error for one in client.submit_many(specs) if one.error]
        """
        if job_ids is not None and len(job_ids) != len(specs):
            raise InvalidInput.of("job_ids", len(job_ids), f"is not one for each of {len(specs)} specs", "give as many")
        answers: list[Submission | None] = [None] * len(specs)
        terms: dict[str, ProjectTerms | StoreUnavailable] = {}
        admitted: list[tuple[int, str, Admitted]] = []
        given: set[str] = set()
        sealed: dict[str, dict[str, str]] = {}
        sealers: list[Sealer] = []
        for number, spec in enumerate(specs):
            asked = None if job_ids is None else job_ids[number]
            job_id = str(asked or "")
            try:
                job_id = _checked_id(asked)
                if job_id in given:
                    raise InvalidInput.of("job_ids", job_id, "was given to another spec", "give each spec its own")
                given.add(job_id)
                one = admit(spec.without_secrets(), self._site, self._terms(spec.project, terms))
                if spec.secret_env:
                    sealed[job_id] = self._seal(job_id, spec, sealers)
                admitted.append((number, job_id, one))
            except StoreUnavailable as error:
                answers[number] = Submission(job_id, error=_in_doubt(job_id, error))
            except AitrainError as error:
                answers[number] = Submission(job_id, error=error)
        may_start = ""
        written = self._store.submit_many([(job_id, one) for _, job_id, one in admitted], sealed)
        for (number, job_id, _), answer in zip(admitted, written, strict=True):
            if isinstance(answer, Submitted):
                answers[number] = Submission(job_id, answer.job)
                may_start = job_id if answer.may_start else may_start
            else:
                doubt = isinstance(answer, StoreUnavailable)
                answers[number] = Submission(job_id, error=_in_doubt(job_id, answer) if doubt else answer)
        if may_start:
            self._place(may_start)
        return [answer for answer in answers if answer is not None]

    def _seal(self, job_id: str, spec: JobSpec, sealers: list[Sealer]) -> dict[str, str]:
        """The secret variables of a job, sealed. sealers: what seals, which is asked for once."""
        from aitrain.sealing import seal_env, site_sealer  # takes long to load, and most jobs have none

        if not sealers:
            sealers.append(site_sealer(self.settings, self._store))
        return seal_env(sealers[0], job_id, spec.secret_env)

    def _terms(self, project: str, known: dict[str, ProjectTerms | StoreUnavailable]) -> ProjectTerms:
        """The terms of a project, asked for once: a store that does not answer costs seconds each time."""
        if project not in known:
            try:
                known[project] = self._store.project_terms(project)
            except StoreUnavailable as error:
                known[project] = error
        terms = known[project]
        if isinstance(terms, StoreUnavailable):
            raise terms
        return terms

    def _place(self, job_id: str) -> None:
        try:
            self._dispatcher.place_waiting()
        except StoreUnavailable as error:
            # It is queued, and the next placement pass finds it.
            log.warning("job %s is queued; it was not placed yet: %s", job_id, error, extra={"job": job_id})


def _checked_id(job_id: str | UUID | None) -> str:
    try:
        return str(uuid4() if job_id is None else UUID(str(job_id)))
    except ValueError:
        raise InvalidInput.of("job_id", job_id, "is not a UUID", "make one with uuid.uuid4()") from None


def _in_doubt(job_id: str, error: Exception) -> StoreUnavailable:
    return StoreUnavailable(f"job {job_id} may or may not be queued: {error}")
