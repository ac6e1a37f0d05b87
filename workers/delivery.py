"""What control workers do when a host asks for a job's secrets: open those that it needs, and seal them for the host.

The message says a job and its fence; which secrets, and for which host, the job store says, in words that no host may
write. Deliver it twice or an hour late, and the host has what the job needs now, or nothing if the job is not there any
more.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass

from aitrain.domain.errors import JobNotFound, SecretUnreadable
from aitrain.domain.imagename import ImageName
from aitrain.domain.job import Job
from aitrain.domain.sealing import ENV_REVISION, SecretKind, host_purpose, purpose
from aitrain.domain.spec import JobSpec
from aitrain.domain.states import STATES
from aitrain.sealing import env_text
from aitrain.store import Delivered, SealedSecret, Vouched
from aitrain.vault import Sealer
from workers.app import order
from workers.machine import Machine

log = logging.getLogger(__name__)

Need = tuple[SecretKind, str]


@order
def deliver_secrets(machine: Machine, job_id: str, fence: str) -> None:
    """Hands a job's secrets to its host, if the job is there with that fence, or its log may yet be."""
    try:
        job = machine.store.get(job_id)
    except JobNotFound:
        return
    current = job.fence == fence and STATES[job.state].on_host
    host = job.host if current else _host_of_log(machine, job, fence)
    host_key = machine.store.host_key(host) if host else None
    if host_key is None:
        log.info("job %s: secrets were asked for too late, or by nobody", job_id)
        return
    vouched = machine.store.vouched(job_id, fence, host)
    if vouched is None or (current and vouched.spec is None):
        log.warning("job %s: its record says that %s runs it, and who placed it does not: no secrets", job_id, host)
        return
    needed = {*_of_log(machine), *(needs(vouched.spec) if current and vouched.spec else ())}
    delivery = Delivery(machine, job_id, host, vouched, Sealer(host_key, "host_key"))
    secrets = {need: held for need in needed if (held := delivery.of(need)) is not None}
    if machine.store.deliver(job_id, fence, host, host_key, secrets, log=not current):
        log.info("job %s: %d secrets delivered to %s", job_id, len(secrets), host)


def needs(spec: JobSpec) -> Iterator[Need]:
    """What a job may need on its host: its volumes' data stores, its image's registry, its secret variables."""
    for volume in spec.volumes:
        if volume.alias:
            yield SecretKind.DATA_STORE, volume.alias
    yield SecretKind.REGISTRY, ImageName.of(spec.image).server
    if spec.secret_env:
        yield SecretKind.ENV, ""


def _of_log(machine: Machine) -> Iterator[Need]:
    if (place := machine.settings.logs.place) is not None:
        yield SecretKind.DATA_STORE, place.alias


def _host_of_log(machine: Machine, job: Job, fence: str) -> str:
    """Where an attempt ran that is over there; its log may have to be uploaded yet. "": it is none."""
    number = fence.partition(".")[0]
    if not number.isdigit() or not machine.store.log_is_of(job.id, int(number), fence):
        return ""
    if job.fence == fence:
        return job.host
    return next((end.host for end in job.earlier_attempts if end.attempt == int(number)), "")


@dataclass(frozen=True)
class Delivery:
    """Secrets of one job on their way to one host."""

    machine: Machine
    job_id: str
    host: str
    vouched: Vouched
    sealer: Sealer

    def of(self, need: Need) -> Delivered | None:
        """One secret, sealed for the host; None if the project has none of that name."""
        kind, name = need
        project = self.vouched.project
        held = SealedSecret(ENV_REVISION) if kind is SecretKind.ENV else self.machine.store.sealed(project, kind, name)
        if held is None:
            return None
        try:
            text = self._env() if kind is SecretKind.ENV else self._own(need, held)
        except SecretUnreadable as error:
            log.warning("job %s: a secret cannot be delivered: %s", self.job_id, error)
            return Delivered(held.revision, error=str(error))
        return Delivered(held.revision, self.sealer.seal(host_purpose(self.host, self.job_id, kind, name), text))

    def _own(self, need: Need, held: SealedSecret) -> str:
        (kind, name), project = need, self.vouched.project
        if held.token is None:
            raise SecretUnreadable(f"{kind} {name!r} of project {project!r} has no secret; add it again")
        return self.machine.vault.open(purpose(kind, project, name), held.token)

    def _env(self) -> str:
        tokens = self.machine.store.sealed_env(self.job_id)
        names = self.vouched.spec.secret_env if self.vouched.spec else {}
        if lost := sorted(names.keys() - tokens.keys()):
            raise SecretUnreadable(f"the values of {', '.join(lost)} are not kept; submit the job anew")
        vault = self.machine.vault
        values = {n: vault.open(purpose(SecretKind.ENV, self.job_id, n), tokens[n]) for n in names}
        return env_text(values, self.vouched.text or "")
