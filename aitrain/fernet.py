"""Keeps the keys of data stores: encrypted by the first of the site's encryption keys, decrypted by any of them.

What is sealed says what it belongs to, under the same seal. So a row that somebody copies to another project or alias
in Redis does not open there.
"""

from __future__ import annotations

import json
from collections.abc import Sequence

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from pydantic import SecretStr, ValidationError

from aitrain.domain.errors import InvalidInput, SecretUnreadable
from aitrain.settings import DataStore

REMEDY = (
    "make a key with `aitrain datastore new-key`, and give the same to clients, hosts and control workers as "
    "encryption_keys of their settings (AITRAIN_ENCRYPTION_KEYS='[\"KEY\"]')"
)


def new_key() -> str:
    """A new encryption key, as encryption_keys takes it."""
    return Fernet.generate_key().decode()


class Vault:
    """Seals and opens data stores. Safe to share between threads."""

    def __init__(self, keys: Sequence[SecretStr]) -> None:
        """keys: the first one seals, all open; without any, it can do neither."""
        self._fernet = MultiFernet([Fernet(key.get_secret_value()) for key in keys]) if keys else None

    def seal(self, project: str, alias: str, store: DataStore) -> str:
        """A data store of a project, encrypted.

        Raises InvalidInput if there is no key to do it with.
        """
        plain = {
            "for": _owner(project, alias),
            "endpoint_url": store.endpoint_url,
            "region": store.region,
            "access_key_id": store.access_key_id.get_secret_value(),
            "secret_access_key": store.secret_access_key.get_secret_value(),
        }
        return self._keyed().encrypt(json.dumps(plain).encode()).decode()

    def open(self, project: str, alias: str, sealed: str) -> DataStore:
        """The data store that was sealed for this project and alias.

        Raises SecretUnreadable.
        """
        subject = f"data store {alias!r} of project {project!r}"
        if self._fernet is None:
            raise SecretUnreadable(f"{subject} is kept encrypted, and no encryption_keys are set here; {REMEDY}")
        try:
            plain = json.loads(self._fernet.decrypt(sealed))
        except InvalidToken:
            raise SecretUnreadable(
                f"{subject} was encrypted with a key that is not among the encryption_keys here; give this process all "
                "keys that are in use, or add the data store again"
            ) from None
        if plain.pop("for", None) != _owner(project, alias):
            raise SecretUnreadable(f"what is kept as {subject} was kept for another; add the data store again")
        try:
            return DataStore.model_validate(plain)
        except ValidationError:  # its text repeats what it was given
            raise SecretUnreadable(f"{subject} was kept by another version; add the data store again") from None

    def reseal(self, sealed: str) -> str:
        """The same, encrypted with the first key.

        Raises InvalidInput without a key, SecretUnreadable if none opens it.
        """
        try:
            return self._keyed().rotate(sealed).decode()
        except InvalidToken:
            raise SecretUnreadable("it was encrypted with a key that is not among the encryption_keys here") from None

    def _keyed(self) -> MultiFernet:
        if self._fernet is None:
            message = "is not set, and keys of data stores are only kept encrypted"
            raise InvalidInput.of("encryption_keys", "", message, REMEDY)
        return self._fernet


def _owner(project: str, alias: str) -> str:
    # Neither of them may contain a slash.
    return f"data_store/{project}/{alias}"
