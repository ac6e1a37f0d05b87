"""Secrets on their way to a host that runs a job: the host's public key, and what was sealed for it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field

from aitrain.domain.sealing import SecretKind
from aitrain.domain.spec import JobSpec
from aitrain.store.connection import Connection


@dataclass(frozen=True)
class Delivered:
    """A secret that a host was given for a job. token: sealed for it; error: why there is none, or ""."""

    revision: str
    token: str = field(default="", repr=False)
    error: str = ""


@dataclass(frozen=True)
class Vouched:
    """Whose a job is, and what was submitted. text: its spec as it is kept, None if its record has another one now."""

    project: str
    text: str | None

    @property
    def spec(self) -> JobSpec | None:
        """The spec as it was submitted."""
        return JobSpec.read(self.text)[0] if self.text else None


class Deliveries(Connection):
    """What control workers hand to hosts."""

    def publish_host_key(self, host: str, instance: str, public_key: str) -> bool:
        """Tells the key that secrets for a host are sealed with. False: another machine has its name."""
        arguments = {"host": host, "instance": instance, "key": public_key}
        return bool(self._run("publish_host_key", arguments)["ours"])

    def host_key(self, host: str) -> str | None:
        """The key of a host, None if it told none."""
        key: str | None = self._ask(lambda: self._redis.get(self._key("host_key", host)))
        return key

    def vouched(self, job_id: str, fence: str, host: str) -> Vouched | None:
        """What may be gone by to choose the secrets of a run; None: nobody who places jobs sent it to this host.

        A host may write its jobs' records, and with a stolen user those of others. It may not write this.
        """
        told = self._run("vouched", {"id": job_id, "fence": fence, "host": host})
        if "project" not in told:
            return None
        return Vouched(told["project"], told["spec"] or None)

    def deliver(
        self,
        job_id: str,
        fence: str,
        host: str,
        host_key: str,
        secrets: Mapping[tuple[SecretKind, str], Delivered],
        *,
        log: bool = False,
    ) -> bool:
        """Hands secrets to a host, if the job is there with that fence, by kind and name. False: it is late.

        host_key: that they are sealed with; log: also if the job has left the host, which may have its log yet.
        """
        texts = {f"{kind}/{name}": json.dumps(_fields(one)) for (kind, name), one in secrets.items()}
        arguments = {
            "id": job_id, "fence": fence, "host": host, "host_key": host_key, "secrets": texts, "log": log,
        }  # fmt: skip
        return bool(self._run("deliver", arguments)["done"])

    def delivered(self, host: str, job_id: str, kind: SecretKind, name: str) -> Delivered | None:
        """What the host was given, None if nothing."""
        held = self._ask(lambda: self._redis.hget(self._key("delivered", host), f"{job_id}/{kind}/{name}"))
        return Delivered(**json.loads(held)) if held else None

    def drop_delivered(self, host: str, job_id: str, kind: SecretKind, name: str) -> None:
        """The host has no need of it any more."""
        self._change(("HDEL", self._key("delivered", host), f"{job_id}/{kind}/{name}"))


def _fields(one: Delivered) -> dict[str, str]:
    return {name: value for name, value in vars(one).items() if value}
