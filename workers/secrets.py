"""The secrets of a job on its host: what control workers delivered, or deliver when they are asked.

What the host has been given is used for as long as its revision is that of the project's entry, so control workers may
be away meanwhile. A secret is sealed for this host and this job, in the store as well; nothing of it is written here.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from contextlib import suppress

from pydantic import SecretStr

from aitrain.domain.errors import BrokerUnavailable, PlatformFault, SecretUnreadable
from aitrain.domain.sealing import ENV_REVISION, SecretKind, host_purpose
from aitrain.domain.spec import JobSpec
from aitrain.domain.states import EndCause, InfoCode
from aitrain.sealing import data_store_of, env_of
from aitrain.settings import DataStore
from aitrain.store import Delivered
from workers import clock
from workers.log_output import hide
from workers.machine import Machine

log = logging.getLogger(__name__)

POLL_SECONDS = 0.1
# What a control worker cannot open will not open in a minute either.
UNREADABLE = {SecretKind.DATA_STORE: InfoCode.DATASYNC_AUTHENTICATE_FAILED}
WORDS = {
    SecretKind.DATA_STORE: "keys of data store",
    SecretKind.REGISTRY: "password of registry",
    SecretKind.ENV: "secret variables",
}
# What a step says that did not get one, by kind: all of them may pass by themselves.
CODES = {
    SecretKind.DATA_STORE: InfoCode.DATASYNC_PROGRESS_FAILED_TRANSIENT_ERROR,
    SecretKind.REGISTRY: InfoCode.JOB_REGISTRY_UNAVAILABLE,
    SecretKind.ENV: InfoCode.JOB_ERROR,
}


class JobSecrets:
    """The secrets of one attempt. Every method raises PlatformFault if the secret cannot be had, StoreUnavailable, and
    what checkpoint raises.
    """

    def __init__(
        self,
        machine: Machine,
        project: str,
        job_id: str,
        fence: str,
        checkpoint: Callable[[], None] = lambda: None,
        *,
        keep: bool = True,
    ) -> None:
        """checkpoint: called while it waits; keep: leave what was delivered in the store, until the job leaves."""
        self._machine, self._project, self._job_id, self._fence = machine, project, job_id, fence
        self._checkpoint, self._keep = checkpoint, keep

    def data_store(self, alias: str) -> DataStore | None:
        """The project's own data store, None if it has none of that alias."""
        text = self._of_project(SecretKind.DATA_STORE, alias)
        try:
            store = None if text is None else data_store_of(text)
        except SecretUnreadable as error:
            raise _fault(SecretKind.DATA_STORE, str(error), UNREADABLE[SecretKind.DATA_STORE]) from None
        if store is not None:
            hide(store.access_key_id, store.secret_access_key)
        return store

    def registry(self, server: str) -> tuple[str, str] | None:
        """User and password of the project at a registry, host[:port]; None if it has none there."""
        text = self._of_project(SecretKind.REGISTRY, server)
        if text is None:
            return None
        held = json.loads(text)
        hide(SecretStr(held["password"]))
        return held["username"], held["password"]

    def env(self, spec: JobSpec) -> dict[str, str]:
        """The job's secret variables. Only for a job that has some. spec: what is going to be run with them.

        Its record may have been changed after they were delivered: then whoever changed it does not get them.
        """
        text = self._secret(SecretKind.ENV, "", lambda: ENV_REVISION)
        try:
            values = env_of(text, spec) if text else {}
        except SecretUnreadable as error:
            raise _fault(SecretKind.ENV, str(error)) from None
        hide(*map(SecretStr, values.values()))
        return values

    def _of_project(self, kind: SecretKind, name: str) -> str | None:
        return self._secret(kind, name, lambda: self._machine.store.revision(self._project, kind, name))

    def _secret(self, kind: SecretKind, name: str, revision: Callable[[], str | None]) -> str | None:
        """The secret of the revision that its entry has; None if there is no entry."""
        machine, timing = self._machine, self._machine.settings.timing
        began, asked = clock.elapsed(), 0.0
        while (wanted := revision()) is not None:
            held = machine.store.delivered(machine.settings.host.name, self._job_id, kind, name)
            if held is not None and held.revision == wanted:
                if (text := self._opened(kind, name, held)) is not None:
                    return text
                if held.error and asked:
                    raise _fault(kind, held.error, UNREADABLE.get(kind))
            now = clock.elapsed()
            if asked and now - began > timing.secret_seconds:
                return self._older(kind, name, held)
            if not asked or now - asked > timing.message_grace_seconds:
                self._ask(kind, name, held)
                asked = now
            self._checkpoint()
            machine.pause(POLL_SECONDS)
        return None

    def _opened(self, kind: SecretKind, name: str, held: Delivered) -> str | None:
        """What was delivered; None if it does not open: this host may have had another key then."""
        machine = self._machine
        purpose = host_purpose(machine.settings.host.name, self._job_id, kind, name)
        try:
            text = machine.host_key.open(purpose, held.token) if held.token else None
        except SecretUnreadable:
            return None
        if text is not None and not self._keep:
            machine.store.drop_delivered(machine.settings.host.name, self._job_id, kind, name)
        return text

    def _ask(self, kind: SecretKind, name: str, held: Delivered | None) -> None:
        """Asks the control workers. A message that is lost is sent again; one that comes late changes nothing."""
        machine = self._machine
        host, public = machine.settings.host.name, machine.host_key.sealer.public_key
        if machine.store.host_key(host) != public:
            machine.store.publish_host_key(host, machine.instance, public)
        if held is not None and held.error:
            # Else the old answer would be taken for the one that comes.
            machine.store.drop_delivered(host, self._job_id, kind, name)
        with suppress(BrokerUnavailable):
            machine.broker.send_delivery(self._job_id, self._fence)

    def _older(self, kind: SecretKind, name: str, held: Delivered | None) -> str:
        """What was delivered before the entry changed, if anything was."""
        text = self._opened(kind, name, held) if held is not None else None
        what = f"{WORDS[kind]} {name}".strip()
        seconds = self._machine.settings.timing.secret_seconds
        if text is None:
            raise _fault(kind, f"no control worker delivered its {what} within {seconds:g} s; is `aitrain control` up?")
        log.warning("job %s: no control worker delivered its new %s; the one before is used", self._job_id, what)
        return text


def _fault(kind: SecretKind, message: str, code: InfoCode | None = None) -> PlatformFault:
    return PlatformFault(EndCause.DATA_FAULT, code or CODES[kind], message)
