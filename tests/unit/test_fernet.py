"""What is sealed opens for its project and alias, with any key in use, and shows nothing otherwise."""

from __future__ import annotations

import base64
import json

import pytest
from cryptography.fernet import Fernet
from pydantic import SecretStr

from aitrain.domain.errors import InvalidInput, SecretUnreadable
from aitrain.fernet import Vault, new_key
from aitrain.settings import DataStore, load_settings

SECRET = "hunter2-secret"
STORE = DataStore(
    endpoint_url="http://127.0.0.1:9000", region="gra", access_key_id=SecretStr("hunter2-id"),
    secret_access_key=SecretStr(SECRET),
)  # fmt: skip
OLD, NEW = SecretStr(new_key()), SecretStr(new_key())


def test_what_is_sealed_opens_again() -> None:
    sealed = Vault([OLD]).seal("red", "s3", STORE)
    assert Vault([OLD]).open("red", "s3", sealed) == STORE
    plain = base64.urlsafe_b64decode(sealed)
    assert b"hunter2" not in plain
    assert b"127.0.0.1" not in plain


def test_a_store_without_an_endpoint_opens_again() -> None:
    store = STORE.model_copy(update={"endpoint_url": None})
    vault = Vault([OLD])
    assert vault.open("red", "s3", vault.seal("red", "s3", store)) == store


@pytest.mark.parametrize(("project", "alias"), [("blue", "s3"), ("red", "other")])
def test_a_row_that_was_copied_elsewhere_does_not_open(project: str, alias: str) -> None:
    sealed = Vault([OLD]).seal("red", "s3", STORE)
    with pytest.raises(SecretUnreadable, match="was kept for another") as caught:
        Vault([OLD]).open(project, alias, sealed)
    assert "hunter2" not in str(caught.value)


def test_keys_are_rotated() -> None:
    sealed = Vault([OLD]).seal("red", "s3", STORE)
    both = Vault([NEW, OLD])
    assert both.open("red", "s3", sealed) == STORE
    resealed = both.reseal(sealed)
    assert Vault([NEW]).open("red", "s3", resealed) == STORE
    with pytest.raises(SecretUnreadable, match="not among the encryption_keys"):
        Vault([OLD]).open("red", "s3", resealed)
    with pytest.raises(SecretUnreadable):
        Vault([OLD]).reseal(resealed)
    assert Vault([NEW]).open("red", "s3", both.seal("red", "s3", STORE)) == STORE


@pytest.mark.parametrize("sealed", ["", "nonsense", "gAAAAAB" + "x" * 100])
def test_what_is_no_seal_does_not_open(sealed: str) -> None:
    with pytest.raises(SecretUnreadable):
        Vault([OLD]).open("red", "s3", sealed)


def test_without_a_key_it_says_how_to_make_one() -> None:
    with pytest.raises(InvalidInput, match="new-key") as caught:
        Vault([]).seal("red", "s3", STORE)
    assert caught.value.problems[0].field == "encryption_keys"
    with pytest.raises(SecretUnreadable, match="no encryption_keys are set"):
        Vault([]).open("red", "s3", Vault([OLD]).seal("red", "s3", STORE))


def test_another_versions_fields_are_not_repeated() -> None:
    plain = {"for": "data_store/red/s3", "secret_access_key": SECRET, "session_token": SECRET}
    sealed = Fernet(OLD.get_secret_value()).encrypt(json.dumps(plain).encode()).decode()
    with pytest.raises(SecretUnreadable, match="another version") as caught:
        Vault([OLD]).open("red", "s3", sealed)
    assert SECRET not in str(caught.value)


def test_keys_in_the_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    good = new_key()
    monkeypatch.setenv("AITRAIN_ENCRYPTION_KEYS", json.dumps([good]))
    settings = load_settings()
    assert settings.encryption_keys[0].get_secret_value() == good
    assert good not in repr(settings)
    for wrong in ("hunter2-secret", good[:-4], "ü"):
        monkeypatch.setenv("AITRAIN_ENCRYPTION_KEYS", json.dumps([good, wrong]))
        with pytest.raises(InvalidInput, match="key 1 is none") as caught:
            load_settings()
        assert caught.value.problems[0].field == "encryption_keys"
        assert wrong not in str(caught.value)
        assert good not in str(caught.value)
