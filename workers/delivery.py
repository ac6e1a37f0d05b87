"""What control workers do when a host asks for a job's secrets: open those that it needs, and seal them for the host.

The message says a job and its fence; which secrets, and for which host, the job store says. Deliver it twice or an hour
late, and the host has what the job needs now, or nothing if the job is not there any more.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator

from aitrain.domain.errors import JobNotFound, SecretUnreadable
from aitrain.domain.imagename import ImageName
from aitrain.domain.job import Job
from aitrain.domain.sealing import ENV_REVISION, SecretKind, host_purpose, purpose
from aitrain.domain.states import STATES
from aitrain.store import Delivered, SealedSecret
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
    sealer = Sealer(host_key, "host_key")
    needed = needs(job) if current else iter(())
    secrets = {
        need: held for need in {*needed, *_of_log(machine)} if (held := _sealed(machine, job, need, sealer, host))
    }
    if machine.store.deliver(job_id, fence, host, host_key, secrets, log=not current):
        log.info("job %s: %d secrets delivered to %s", job_id, len(secrets), host)


def needs(job: Job) -> Iterator[Need]:
    """What a job may need on its host: its volumes' data stores, its image's registry, its secret variables."""
    for volume in job.spec.volumes:
        if volume.alias:
            yield SecretKind.DATA_STORE, volume.alias
    yield SecretKind.REGISTRY, ImageName.of(job.spec.image).server
    if job.spec.secret_env:
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


def _sealed(machine: Machine, job: Job, need: Need, sealer: Sealer, host: str) -> Delivered | None:
    kind, name = need
    held = SealedSecret(ENV_REVISION) if kind is SecretKind.ENV else machine.store.sealed(job.project, kind, name)
    if held is None:
        return None
    revision = held.revision
    try:
        text = _env(machine, job) if kind is SecretKind.ENV else _own(machine, job.project, need, held)
        return Delivered(revision, sealer.seal(host_purpose(host, job.id, kind, name), text))
    except SecretUnreadable as error:
        log.warning("job %s: a secret cannot be delivered: %s", job.id, error)
        return Delivered(revision, error=str(error))


def _own(machine: Machine, project: str, need: Need, held: SealedSecret) -> str:
    kind, name = need
    if held.token is None:
        raise SecretUnreadable(f"{kind} {name!r} of project {project!r} has no secret; add it again")
    return machine.vault.open(purpose(kind, project, name), held.token)


def _env(machine: Machine, job: Job) -> str:
    tokens = machine.store.sealed_env(job.id)
    if lost := sorted(job.spec.secret_env.keys() - tokens.keys()):
        raise SecretUnreadable(f"the values of {', '.join(lost)} are not kept; submit the job anew")
    opened = {
        name: machine.vault.open(purpose(SecretKind.ENV, job.id, name), tokens[name]) for name in job.spec.secret_env
    }
    return json.dumps(opened)
