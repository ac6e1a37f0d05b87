"""What an operator sees of the site's sealed secrets: which key sealed how many, and whether that key may go."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from aitrain.store import Store

# So many are named where no key opens them.
MOST_NAMED = 100


@dataclass(frozen=True)
class SealingKey:
    """A key of the site. secrets: how many are kept that it sealed, of a job's variables all as one; newest: clients
    seal with it; opens: control workers have its private half; unreadable: what cannot be opened any more, as
    "data_store/project/alias", "registry/project/server" and "env/job", the first hundred.
    """

    key_id: str
    secrets: int
    newest: bool
    opens: bool
    unreadable: Sequence[str] = ()


@dataclass(frozen=True)
class SecretsStatus:
    """How secrets are kept. public_key: what clients seal with, None: no control worker with a key was started; keys:
    those in use, and those that control workers have, the newest first.
    """

    public_key: str | None
    keys: Sequence[SealingKey]

    @property
    def unreadable(self) -> int:
        """How many secrets no key opens."""
        return sum(key.secrets for key in self.keys if not key.opens)


def secrets_status(store: Store) -> SecretsStatus:
    """Which key sealed how many. Looks at no secret. Raises StoreUnavailable."""
    told, counts = store.site_keys(), store.sealed_counts()
    ids = list(told.ids) if told else []
    keys = []
    for key_id in [*ids, *(one for one in counts if one not in ids)]:
        opens = key_id in ids
        lost = () if opens else tuple(store.sealed_by(key_id)[:MOST_NAMED])
        keys.append(SealingKey(key_id, counts.get(key_id, 0), bool(ids) and key_id == ids[0], opens, lost))
    return SecretsStatus(told.public_key if told else None, keys)
