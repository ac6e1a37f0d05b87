"""Which data store an alias leads to in a step."""

from __future__ import annotations

import pytest
from pydantic import SecretStr

from aitrain.domain.datastore import DataStoreEntry
from aitrain.domain.errors import PlatformFault
from aitrain.domain.states import InfoCode
from aitrain.fernet import Vault, new_key
from aitrain.settings import DataStore
from aitrain.store import DataStoreRow, Store
from workers.data_stores import ProjectDataStores

VAULT = Vault([SecretStr(new_key())])
SITE = {"s3": DataStore(region="site"), "site": DataStore(region="site")}


def keep(store: Store, alias: str, region: str, vault: Vault = VAULT, project: str = "red") -> None:
    entry = DataStoreEntry(
        project=project, alias=alias, endpoint_url=None, region=region, access_key_id="***", revision=region,
        checked=True, added_ms=0,
    )  # fmt: skip
    store.put_data_store(DataStoreRow(entry, vault.seal(project, alias, DataStore(region=region))))


def of_red(store: Store, vault: Vault = VAULT) -> ProjectDataStores:
    return ProjectDataStores("red", store, vault, SITE)


def test_a_projects_own_wins_and_others_are_not_seen(store: Store) -> None:
    keep(store, "s3", "own")
    keep(store, "own", "own")
    keep(store, "blue", "own", project="blue")
    known = of_red(store)
    assert {alias: known[alias].region for alias in known} == {"s3": "own", "own": "own", "site": "site"}
    assert known.get("blue") is None
    assert len(known) == 3


def test_a_step_keeps_what_it_found_and_the_next_one_looks_anew(store: Store) -> None:
    keep(store, "s3", "first")
    this = of_red(store)
    assert this["s3"].region == "first"
    keep(store, "s3", "second")
    assert (this["s3"].region, of_red(store)["s3"].region) == ("first", "second")
    store.remove_data_store("red", "s3", force=False)
    assert of_red(store)["s3"].region == "site"


def test_only_what_is_asked_for_is_decrypted(store: Store) -> None:
    keep(store, "s3", "own")
    keep(store, "foreign", "own", Vault([SecretStr(new_key())]))
    known = of_red(store)
    assert known["s3"].region == "own"
    with pytest.raises(PlatformFault, match="encryption_keys") as caught:
        known["foreign"]
    assert caught.value.code is InfoCode.DATASYNC_AUTHENTICATE_FAILED


def test_a_row_that_was_copied_to_another_project_is_refused(store: Store) -> None:
    keep(store, "s3", "own", project="blue")
    held = store._redis.hget(store._key("data_stores", "blue"), "s3")
    store._redis.hset(store._key("data_stores", "red"), "s3", held)
    with pytest.raises(PlatformFault, match="was kept for another"):
        of_red(store)["s3"]
