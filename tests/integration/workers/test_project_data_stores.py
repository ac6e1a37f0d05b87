"""Which data store an alias leads to in a step, for a control worker that opens it itself."""

from __future__ import annotations

from pathlib import Path

import pytest

from aitrain.domain.datastore import DataStoreEntry
from aitrain.domain.errors import PlatformFault
from aitrain.domain.states import InfoCode
from aitrain.sealing import data_store_text
from aitrain.settings import DataStore, load_settings
from aitrain.vault import PrivateKey, add_key, new_key
from workers.data_stores import ProjectDataStores, opened_here
from workers.machine import Machine
from workers.scratch.servers import RedisServer


@pytest.fixture
def machine(redis: RedisServer, namespace: str, tmp_path: Path) -> Machine:
    add_key(tmp_path / "secrets.key")
    settings = load_settings(
        redis_url=redis.url, namespace=namespace, secrets={"key_file": tmp_path / "secrets.key"},
        data_stores={"s3": {"region": "site"}, "site": {"region": "site"}},
    )  # fmt: skip
    return Machine(settings)


def keep(machine: Machine, alias: str, region: str, key: PrivateKey | None = None, project: str = "red") -> None:
    entry = DataStoreEntry(
        project=project, alias=alias, endpoint_url=None, region=region, access_key_id="***", revision=region,
        checked=True, added_ms=0,
    )  # fmt: skip
    sealer = key.sealer if key else machine.vault.newest
    assert sealer
    text = data_store_text(DataStore(region=region))
    machine.store.put_data_store(entry, sealer.seal(f"data_store/{project}/{alias}", text))


def of_red(machine: Machine) -> ProjectDataStores:
    return opened_here(machine, "red")


def test_a_projects_own_wins_and_others_are_not_seen(machine: Machine) -> None:
    keep(machine, "s3", "own")
    keep(machine, "own", "own")
    keep(machine, "blue", "own", project="blue")
    known = of_red(machine)
    assert {alias: known[alias].region for alias in known} == {"s3": "own", "own": "own", "site": "site"}
    assert known.get("blue") is None
    assert len(known) == 3


def test_a_step_keeps_what_it_found_and_the_next_one_looks_anew(machine: Machine) -> None:
    keep(machine, "s3", "first")
    this = of_red(machine)
    assert this["s3"].region == "first"
    keep(machine, "s3", "second")
    assert (this["s3"].region, of_red(machine)["s3"].region) == ("first", "second")
    machine.store.remove_data_store("red", "s3", force=False)
    assert of_red(machine)["s3"].region == "site"


def test_only_what_is_asked_for_is_opened(machine: Machine) -> None:
    keep(machine, "s3", "own")
    keep(machine, "foreign", "own", PrivateKey.of(new_key()))
    known = of_red(machine)
    assert known["s3"].region == "own"
    with pytest.raises(PlatformFault, match="not in the key_file") as caught:
        known["foreign"]
    assert caught.value.code is InfoCode.DATASYNC_AUTHENTICATE_FAILED


def test_a_token_that_was_copied_to_another_project_is_refused(machine: Machine) -> None:
    keep(machine, "s3", "own", project="blue")
    keep(machine, "s3", "other")
    redis, key = machine.store._redis, machine.store._key
    held = redis.hget(key("sealed", "blue"), "data_store/s3")
    redis.hset(key("sealed", "red"), "data_store/s3", held)
    with pytest.raises(PlatformFault, match="sealed for another place"):
        of_red(machine)["s3"]
