"""What clients seal, and with which key; and how a data store is written down before it is sealed."""

from __future__ import annotations

import json
from collections.abc import Mapping

from pydantic import SecretStr, ValidationError

from aitrain.domain.errors import InvalidInput, SecretUnreadable
from aitrain.domain.sealing import SecretKind, purpose
from aitrain.domain.spec import JobSpec
from aitrain.settings import DataStore, Settings
from aitrain.store import Store
from aitrain.vault import Sealer, Vault


def site_sealer(settings: Settings, store: Store) -> Sealer:
    """Seals with the key that the settings name, else with the one that control workers told last.

    Raises InvalidInput if there is neither, or the settings' one is no key of the control workers any more, and
    StoreUnavailable.
    """
    keys = store.site_keys()
    if settings.secrets.public_key is not None:
        sealer = Sealer(settings.secrets.public_key)
        if keys is not None and sealer.key_id not in keys.ids:
            raise InvalidInput.of(
                "secrets.public_key", sealer.key_id, "is none of the keys that control workers have",
                "have the operator say which one the site has now, and put that into your settings",
            )  # fmt: skip
        return sealer
    if keys is None:
        raise InvalidInput.of(
            "secrets.public_key", "", "is not known: secrets are kept sealed only, and no control worker told a key",
            "make a file with `aitrain secret new-key FILE`, name it as key_file in [secrets] of the control workers, "
            "and start one",
        )  # fmt: skip
    return Sealer(keys.public_key)


def seal_env(sealer: Sealer, job_id: str, values: Mapping[str, SecretStr | None]) -> dict[str, str]:
    """The tokens of a job's secret variables, by name. Raises InvalidInput for one without a value."""
    for name, value in values.items():
        if value is None:
            raise InvalidInput.of(
                "secret_env", name, "has no value: those of an earlier job cannot be read back",
                "give it again, or leave the variable out",
            )  # fmt: skip
    given = {name: value.get_secret_value() for name, value in values.items() if value is not None}
    return {name: sealer.seal(purpose(SecretKind.ENV, job_id, name), value) for name, value in given.items()}


def env_text(values: Mapping[str, str], spec: str) -> str:
    """A job's secret variables as they are sealed for its host. spec: as it was submitted, in JSON."""
    return json.dumps({"values": dict(values), "spec": spec})


def env_of(text: str, spec: JobSpec) -> dict[str, str]:
    """The variables that a text is. spec: of the job that they are for, by its record.

    Raises SecretUnreadable, which does not repeat them, if another one was submitted.
    """
    held = json.loads(text)
    if JobSpec.read(held["spec"])[0] != spec:
        raise SecretUnreadable(
            "its record was changed since it was submitted, so its secret variables are kept from it; submit it anew"
        )
    return dict(held["values"])


def data_store_text(store: DataStore) -> str:
    """A data store as it is sealed."""
    plain = {
        "endpoint_url": store.endpoint_url,
        "region": store.region,
        "access_key_id": store.access_key_id.get_secret_value(),
        "secret_access_key": store.secret_access_key.get_secret_value(),
    }
    return json.dumps(plain)


def data_store_of(text: str) -> DataStore:
    """The data store that a text is. Raises SecretUnreadable, which does not repeat it."""
    try:
        return DataStore.model_validate_json(text)
    except ValidationError:
        raise SecretUnreadable("it was kept by another version of aitrain; add the data store again") from None


def login_text(user: str, password: str) -> str:
    """A user of a registry and the password as they are sealed."""
    return json.dumps({"username": user, "password": password})


def login_of(text: str) -> tuple[str, str]:
    """The user and the password that a text is. Raises SecretUnreadable, which does not repeat it."""
    try:
        held = json.loads(text)
        return str(held["username"]), str(held["password"])
    except (ValueError, KeyError, TypeError):
        raise SecretUnreadable("it was kept by another version of aitrain; add the registry again") from None


def opened_data_store(vault: Vault, store: Store, project: str, alias: str) -> DataStore | None:
    """A data store of a project, None if it has none of that alias. Only for those who have the site's private keys.

    Raises SecretUnreadable and StoreUnavailable.
    """
    held = store.sealed(project, SecretKind.DATA_STORE, alias)
    if held is None:
        return None
    if held.token is None:
        raise SecretUnreadable(
            f"the keys of data store {alias!r} of project {project!r} are not kept; add the data store again"
        )
    return data_store_of(vault.open(purpose(SecretKind.DATA_STORE, project, alias), held.token))
