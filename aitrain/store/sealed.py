"""Sealed secrets, the site's public key that they are sealed with, and which key sealed what."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from aitrain.domain.sealing import PROJECT_KINDS, SecretKind
from aitrain.store.connection import Connection

ENTRIES = {SecretKind.DATA_STORE: "data_stores", SecretKind.REGISTRY: "registries"}


@dataclass(frozen=True)
class SiteKeys:
    """What control workers told last. public_key: secrets are sealed with it; ids: of all keys that they have."""

    public_key: str
    ids: Sequence[str]


@dataclass(frozen=True)
class SealedSecret:
    """A secret of a project. revision: of its entry, anew with each secret; token: what was sealed, None if none is."""

    revision: str
    token: str | None = field(default=None, repr=False)


class SealedSecrets(Connection):
    """Tokens, by whose they are. Which of the keys in Redis a process may read, its role says."""

    def tell_keys(self, public_key: str, ids: Sequence[str]) -> None:
        """Has clients seal with this key from now on. ids: of all keys that control workers have, the newest first."""
        self._change(("HSET", self._key("public_key"), "key", public_key, "ids", json.dumps(list(ids))))

    def site_keys(self) -> SiteKeys | None:
        """The site's keys; None: no control worker with a key has been started yet."""
        held = self._ask(lambda: self._redis.hgetall(self._key("public_key")))
        return SiteKeys(held["key"], json.loads(held["ids"])) if held else None

    def revision(self, project: str, kind: SecretKind, name: str) -> str | None:
        """The revision of a project's entry; None: it has none of that name."""
        held = self._ask(lambda: self._redis.hget(self._key(ENTRIES[kind], project), name))
        return None if held is None else str(json.loads(held)["revision"])

    def sealed(self, project: str, kind: SecretKind, name: str) -> SealedSecret | None:
        """A secret of a project, both as they stood at one moment; None: it has none of that name."""
        pipe = self._redis.pipeline(transaction=True)
        pipe.hget(self._key(ENTRIES[kind], project), name)
        pipe.hget(self._key("sealed", project), f"{kind}/{name}")
        entry, token = self._ask(pipe.execute)
        return None if entry is None else SealedSecret(str(json.loads(entry)["revision"]), token)

    def sealed_env(self, job_id: str) -> dict[str, str]:
        """The tokens of a job's secret variables, by name."""
        return dict(self._ask(lambda: self._redis.hgetall(self._key("sealed_env", job_id))))

    def sealed_counts(self) -> dict[str, int]:
        """How many secrets each key has sealed that are kept, by its id; the variables of a job count as one."""
        ids = sorted(self._ask(lambda: self._redis.smembers(self._key("sealing_keys"))))
        pipe = self._redis.pipeline(transaction=False)
        for key_id in ids:
            pipe.scard(self._key("sealed_by", key_id))
        return {key_id: int(count) for key_id, count in zip(ids, self._ask(pipe.execute), strict=True) if count}

    def sealed_by(self, key_id: str) -> list[str]:
        """What a key has sealed: "data_store/project/alias", "registry/project/server", "env/job"."""
        return sorted(self._ask(lambda: self._redis.smembers(self._key("sealed_by", key_id))))

    def tokens_of(self, member: str) -> dict[str, str]:
        """The tokens behind one of sealed_by, by the purpose that each is sealed for."""
        kind, owner, *name = member.split("/", 2)
        if kind in PROJECT_KINDS:
            token = self._ask(lambda: self._redis.hget(self._key("sealed", owner), f"{kind}/{name[0]}"))
            return {member: token} if token else {}
        return {f"{member}/{name}": token for name, token in self.sealed_env(owner).items()}

    def reseal(self, member: str, tokens: Mapping[str, tuple[str, str]]) -> int:
        """Keeps what was sealed anew, each token that still is the old one; how many.

        tokens: by purpose, the old and the new one.
        """
        kind, owner, *name = member.split("/", 2)
        arguments: dict[str, Any] = {"member": member}
        if kind in PROJECT_KINDS:
            arguments |= {"project": owner, "tokens": {f"{kind}/{name[0]}": tokens[member]} if tokens else {}}
        else:
            arguments |= {"id": owner, "tokens": {one.rpartition("/")[2]: pair for one, pair in tokens.items()}}
        return int(self._run("reseal", arguments)["done"])

    def forget_unsealed(self, limit: int) -> int:
        """Forgets the secret variables of up to `limit` deleted jobs; of how many."""
        return int(self._run("forget_unsealed", {"limit": limit})["count"])
