"""Seals secrets for the site: whoever has its public key seals; only control workers, with the private one, open.

HPKE (RFC 9180) with X25519, HKDF-SHA256 and AES-256-GCM. What a secret is for, its purpose, is bound into the seal, so
a token that somebody copies to another place in Redis does not open there. A token says by which key it was sealed, and
a file of keys opens what any of them sealed: so keys are rotated. Hosts have keys of the same kind, one each.
"""

from __future__ import annotations

import base64
import hashlib
import os
import stat
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from functools import cached_property
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.hpke import AEAD, KDF, KEM, Suite

from aitrain.domain.errors import InvalidInput, SecretUnreadable
from aitrain.domain.sealing import SEAL_VERSION, key_of

SUITE = Suite(KEM.X25519, KDF.HKDF_SHA256, AEAD.AES_256_GCM)
PRIVATE, PUBLIC = "aitrain-secret-key-", "aitrain-public-key-"
KEY_BYTES = 32
# As signing.py names keys: enough to tell them apart.
NAME_DIGITS = 16
# Others may not see the file; a group may read it, as units of systemd like to have it.
FORBIDDEN_MODE = 0o037
NEW_KEY = "make one with `aitrain secret new-key FILE`"


class Sealer:
    """Seals with one public key. Safe to share between threads."""

    def __init__(self, public_key: str, field: str = "secrets.public_key") -> None:
        """public_key: as `aitrain secret status` prints it. Raises InvalidInput, of the field that it stands in."""
        raw = _decoded(public_key.removeprefix(PUBLIC)) if public_key.startswith(PUBLIC) else None
        if raw is None or len(raw) != KEY_BYTES:
            remedy = f"give what `aitrain secret status` prints at the site: {PUBLIC}..."
            raise InvalidInput.of(field, "", "is no public key of a site", remedy)
        self.public_key, self.key_id = public_key, _name(raw)
        self._key = X25519PublicKey.from_public_bytes(raw)

    def __repr__(self) -> str:
        return f"Sealer({self.key_id})"

    def seal(self, purpose: str, plain: str) -> str:
        """A token that opens for this purpose only; see aitrain.domain.sealing."""
        sealed = SUITE.encrypt(plain.encode(), self._key, purpose.encode())
        return f"{SEAL_VERSION}.{self.key_id}.{base64.urlsafe_b64encode(sealed).decode()}"


class PrivateKey:
    """One private key, which opens what its public half sealed. Neither repr() nor an error shows it."""

    def __init__(self, key: X25519PrivateKey) -> None:
        self._key = key
        self.sealer = Sealer(PUBLIC + _encoded(key.public_key().public_bytes_raw()))

    @classmethod
    def of(cls, text: str) -> PrivateKey:
        """The key that a line of a key file is. Raises ValueError, without the line, if it is none."""
        raw = _decoded(text.removeprefix(PRIVATE)) if text.startswith(PRIVATE) else None
        if raw is None or len(raw) != KEY_BYTES:
            raise ValueError("is no private key")
        return cls(X25519PrivateKey.from_private_bytes(raw))

    def __repr__(self) -> str:
        return f"PrivateKey({self.sealer.key_id})"

    def open(self, purpose: str, token: str) -> str:
        """What was sealed. Raises SecretUnreadable if it was sealed for another purpose, or changed since."""
        sealed = _decoded(token.rpartition(".")[2])
        try:
            return SUITE.decrypt(sealed or b"", self._key, purpose.encode()).decode()
        except (InvalidTag, ValueError):
            raise SecretUnreadable(
                f"what is kept as {purpose} was sealed for another place, or was changed; give the secret again"
            ) from None


class Vault:
    """Opens what any of its keys sealed, and seals with the first. Safe to share between threads."""

    def __init__(self, keys: Sequence[PrivateKey]) -> None:
        """keys: the newest first; without any it opens nothing."""
        self._keys = {key.sealer.key_id: key for key in keys}
        self.newest = keys[0].sealer if keys else None

    @classmethod
    def of(cls, path: Path | None, field: str = "secrets.key_file") -> Vault:
        """The vault with the keys of a file; None: one without. Raises InvalidInput, of the field that named it."""
        return cls([]) if path is None else cls(_read_keys(path, field))

    @cached_property
    def key_ids(self) -> tuple[str, ...]:
        """The ids of its keys, the newest first."""
        return tuple(self._keys)

    def open(self, purpose: str, token: str) -> str:
        """What was sealed for this purpose. Raises SecretUnreadable, which says what to do and repeats no secret."""
        if not self._keys:
            raise SecretUnreadable(
                f"{purpose} is kept sealed, and this process has no key; set [secrets] key_file for control workers, "
                "which alone open it"
            )
        key = self._keys.get(key_of(token) or "")
        if key is None:
            raise SecretUnreadable(
                f"{purpose} was sealed with the key {key_of(token) or 'of another version'!r}, which is not in the "
                "key_file here; put that key back as a line of it, or give the secret again"
            )
        return key.open(purpose, token)


def new_key() -> str:
    """A new private key, as a key file has it in a line."""
    return PRIVATE + _encoded(X25519PrivateKey.generate().private_bytes_raw())


def add_key(path: Path) -> PrivateKey:
    """Makes a private key and puts it first into a key file, which is made if there is none and replaced whole.

    Only its owner may read a new file; one that there is keeps its mode. Raises InvalidInput.
    """
    text = new_key()
    try:
        there = path.exists()
        if there:
            _read_keys(path, "file")
        before = path.read_text() if there else ""
        descriptor, made = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        try:
            with os.fdopen(descriptor, "w") as file:
                file.write(f"{text}\n{before}")
                if there:
                    held = path.stat()
                    os.fchown(file.fileno(), held.st_uid, held.st_gid)
                    os.fchmod(file.fileno(), stat.S_IMODE(held.st_mode))
                file.flush()
                os.fsync(file.fileno())
            Path(made).replace(path)
        except OSError:
            Path(made).unlink(missing_ok=True)
            raise
    except OSError as error:
        remedy = "name a file in a directory that you may write to"
        raise InvalidInput.of("file", path, f"cannot be written ({error.strerror})", remedy) from error
    return PrivateKey.of(text)


def own_key(path: Path) -> PrivateKey:
    """The one key of a file, which is made if there is none; two processes that come at once get the same one.

    Raises InvalidInput.
    """
    try:
        if not path.exists():
            descriptor, made = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
            try:
                with os.fdopen(descriptor, "w") as file:
                    file.write(new_key() + "\n")
                    file.flush()
                    os.fsync(file.fileno())
                with suppress(FileExistsError):
                    os.link(made, path)
            finally:
                Path(made).unlink()
    except OSError as error:
        raise InvalidInput.of(
            "host.data_dir", path.parent, f"cannot be written ({error.strerror})", "name a writable one"
        ) from error
    return _read_keys(path, "host.data_dir")[0]


def _read_keys(path: Path, field: str) -> list[PrivateKey]:
    try:
        with path.open() as file:
            mode = stat.S_IMODE(os.fstat(file.fileno()).st_mode)
            lines = file.read().splitlines()
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is not text"
        raise InvalidInput.of(field, path, f"cannot be read ({why})", NEW_KEY) from None
    if mode & FORBIDDEN_MODE:
        raise InvalidInput.of(field, path, f"may be read or written by others (mode {mode:04o})", f"chmod 600 {path}")
    keys: dict[str, PrivateKey] = {}
    for number, line in enumerate(lines, 1):
        text = line.partition("#")[0].strip()
        if not text:
            continue
        try:
            key = PrivateKey.of(text)
        except ValueError:
            raise InvalidInput.of(
                field, path, f"has no key in line {number}", f"give one key a line, {PRIVATE}..., the newest first"
            ) from None
        if keys.setdefault(key.sealer.key_id, key) is not key:
            raise InvalidInput.of(field, path, f"has a key twice, again in line {number}", "remove one of the two")
    if not keys:
        raise InvalidInput.of(field, path, "has no key", NEW_KEY)
    return list(keys.values())


def _encoded(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


def _decoded(text: str) -> bytes | None:
    try:
        return base64.urlsafe_b64decode(text.encode() + b"=" * (-len(text) % 4))
    except ValueError:
        return None


def _name(raw: bytes) -> str:
    """A short name of a public key: the beginning of the SHA-256 of its 32 bytes."""
    return hashlib.sha256(raw).hexdigest()[:NAME_DIGITS]
