"""What is sealed opens for its purpose, with the key that sealed it, and shows nothing otherwise."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from aitrain.domain.errors import InvalidInput, SecretUnreadable
from aitrain.domain.sealing import key_of
from aitrain.vault import PRIVATE, PrivateKey, Sealer, Vault, add_key, new_key, own_key

SECRET = "hunter2-secret"
# One and the same in each process that runs tests, since it stands in their names. It opens nothing.
FIXED = f"{PRIVATE}{'A' * 43}"
PURPOSE = "data_store/red/s3"
OLD, NEW = PrivateKey.of(new_key()), PrivateKey.of(new_key())


def test_what_is_sealed_opens_with_the_private_half_only() -> None:
    sealer = Sealer(OLD.sealer.public_key)
    token = sealer.seal(PURPOSE, SECRET)
    assert SECRET not in token
    assert key_of(token) == OLD.sealer.key_id == sealer.key_id
    assert Vault([OLD]).open(PURPOSE, token) == SECRET
    assert sealer.seal(PURPOSE, SECRET) != token, "nobody sees that two secrets are the same"


@pytest.mark.parametrize("purpose", ["data_store/blue/s3", "data_store/red/other", "registry/red/s3", ""])
def test_a_token_that_was_copied_elsewhere_does_not_open(purpose: str) -> None:
    token = OLD.sealer.seal(PURPOSE, SECRET)
    with pytest.raises(SecretUnreadable, match="sealed for another place") as caught:
        Vault([OLD]).open(purpose, token)
    assert "hunter2" not in str(caught.value)


def test_a_changed_token_does_not_open() -> None:
    token = OLD.sealer.seal(PURPOSE, SECRET)
    for at in range(20, len(token) - 2, 7):
        changed = token[:at] + ("A" if token[at] != "A" else "B") + token[at + 1 :]
        with pytest.raises(SecretUnreadable):
            Vault([OLD]).open(PURPOSE, changed)


@pytest.mark.parametrize("token", ["", "nonsense", "1.0123456789abcdef.", "2.0123456789abcdef.AAAA", "1.x.AAAA"])
def test_what_is_no_token_does_not_open(token: str) -> None:
    with pytest.raises(SecretUnreadable, match="give the secret again"):
        Vault([OLD]).open(PURPOSE, token)


def test_keys_are_rotated() -> None:
    before, both = OLD.sealer.seal(PURPOSE, SECRET), Vault([NEW, OLD])
    assert both.newest is not None
    after = both.newest.seal(PURPOSE, SECRET)
    assert both.key_ids == (NEW.sealer.key_id, OLD.sealer.key_id)
    assert both.open(PURPOSE, before) == both.open(PURPOSE, after) == Vault([NEW]).open(PURPOSE, after) == SECRET
    with pytest.raises(SecretUnreadable, match=f"key '{OLD.sealer.key_id}', which is not in the key_file"):
        Vault([NEW]).open(PURPOSE, before)


def test_without_a_key_nothing_opens() -> None:
    with pytest.raises(SecretUnreadable, match="key_file for control workers"):
        Vault.of(None).open(PURPOSE, OLD.sealer.seal(PURPOSE, SECRET))
    assert Vault.of(None).newest is None


def test_a_key_file(tmp_path: Path) -> None:
    path = tmp_path / "secrets.key"
    first = add_key(path)
    assert path.stat().st_mode & 0o777 == 0o600
    path.chmod(0o640)
    path.write_text("# made in May\n\n" + path.read_text().strip() + "  # the old one\n")
    second = add_key(path)
    assert Vault.of(path).key_ids == (second.sealer.key_id, first.sealer.key_id)
    assert path.stat().st_mode & 0o777 == 0o640
    assert "made in May" in path.read_text()
    assert [name.name for name in tmp_path.iterdir()] == ["secrets.key"]


@pytest.mark.parametrize(
    ("text", "mode", "said"),
    [
        ("", 0o600, "has no key"),
        ("# nothing\n", 0o600, "has no key"),
        (f"{FIXED}\nhunter2-secret\n", 0o600, "no key in line 2"),
        (f"{PRIVATE}hunter2-secret\n", 0o600, "no key in line 1"),
        (f"{FIXED[:-2]}\n", 0o600, "no key in line 1"),
        (f"{FIXED}\n", 0o644, r"others \(mode 0644\).*chmod 600"),
        (f"{FIXED}\n", 0o660, "mode 0660"),
        ("ÿ".encode("latin-1").decode("latin-1"), 0o600, "line 1"),
    ],
)
def test_a_wrong_key_file(tmp_path: Path, text: str, mode: int, said: str) -> None:
    path = tmp_path / "secrets.key"
    path.write_text(text)
    path.chmod(mode)
    with pytest.raises(InvalidInput, match=said) as caught:
        Vault.of(path)
    assert caught.value.problems[0].field == "secrets.key_file"
    assert "hunter2" not in str(caught.value)
    assert not text.strip() or text.split()[0].removeprefix("#")[-20:] not in str(caught.value) or text[0] in "#ÿ"


def test_a_key_twice_and_no_file(tmp_path: Path) -> None:
    path = tmp_path / "secrets.key"
    with pytest.raises(InvalidInput, match="cannot be read"):
        Vault.of(path)
    key = add_key(path)
    path.write_text(path.read_text() * 2)
    with pytest.raises(InvalidInput, match="twice, again in line 2"):
        Vault.of(path)
    assert key.sealer.key_id in repr(key)
    with pytest.raises(InvalidInput, match="cannot be written"):
        add_key(tmp_path / "missing" / "secrets.key")


def test_a_hosts_own_key_is_made_once(tmp_path: Path) -> None:
    path = tmp_path / "host.key"
    with ThreadPoolExecutor(8) as threads:
        keys = set(threads.map(lambda _: own_key(path).sealer.key_id, range(32)))
    assert len(keys) == 1
    assert path.stat().st_mode & 0o777 == 0o600
    assert [name.name for name in tmp_path.iterdir()] == ["host.key"]


@pytest.mark.parametrize("text", ["", "hunter2-secret", "aitrain-public-key-AAAA", "aitrain-public-key-ü", FIXED])
def test_what_is_no_public_key_is_not_repeated(text: str) -> None:
    with pytest.raises(InvalidInput, match="no public key") as caught:
        Sealer(text)
    assert not text or text not in str(caught.value)
