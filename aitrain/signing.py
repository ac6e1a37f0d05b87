"""Signatures under receipts: Ed25519, made with the site's key, checked by anybody who has its public half.

Keys are PEM files (PKCS8, SubjectPublicKeyInfo), so that other programs can check a receipt, too.
"""

from __future__ import annotations

import base64
import hashlib
import os
import re
from contextlib import suppress
from pathlib import Path
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
    load_pem_public_key,
)

from aitrain.domain.errors import InvalidInput, ReceiptInvalid
from aitrain.domain.receipt import ALGORITHM, opened, signed_bytes

REMEDY = "make one with `aitrain receipt new-key FILE`"
PUBLIC_PEM = re.compile(r"-----BEGIN PUBLIC KEY-----.+?-----END PUBLIC KEY-----", re.DOTALL)
# Enough to tell keys apart; whether the signature is right says the whole key.
NAME_DIGITS = 16


class Signer:
    """Signs receipts with one private key. Safe to share between threads."""

    def __init__(self, key: Ed25519PrivateKey) -> None:
        self._key = key

    @classmethod
    def of(cls, path: Path, field: str = "receipts.key_file") -> Signer:
        """The signer whose key stands in a file. Raises InvalidInput, of the field that named it."""
        key: object = None
        try:
            # What is no key is a ValueError to cryptography, and one with a password a TypeError.
            with suppress(ValueError, TypeError):
                key = load_pem_private_key(path.read_bytes(), password=None)
        except OSError as error:
            raise InvalidInput.of(field, path, f"cannot be read ({error.strerror})", REMEDY) from error
        if not isinstance(key, Ed25519PrivateKey):
            raise InvalidInput.of(field, path, "is no private key of Ed25519 in PEM", REMEDY)
        return cls(key)

    @property
    def public_key(self) -> str:
        """The public half, in PEM."""
        return _pem(self._key.public_key())

    def sign(self, receipt: dict[str, Any]) -> dict[str, Any]:
        """The receipt with its signature."""
        value = base64.b64encode(self._key.sign(signed_bytes(receipt))).decode()
        signature = {"algorithm": ALGORITHM, "key": _name(self._key.public_key()), "value": value}
        return {"receipt": receipt, "signature": signature}


def write_new_key(path: Path) -> Signer:
    """Makes a private key and writes it into a new file that only its owner may read.

    Raises InvalidInput if there is a file, or if it cannot be written.
    """
    key = Ed25519PrivateKey.generate()
    text = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(text)
        except OSError:
            path.unlink()  # half a key would stand in the way of a whole one
            raise
    except OSError as error:
        remedy = "name a new file in a directory that you may write to"
        raise InvalidInput.of("file", path, f"cannot be made ({error.strerror})", remedy) from error
    return Signer(key)


def verify(text: bytes, public_keys: str) -> dict[str, Any]:
    """The receipt in a signed document, once its signature is found right.

    public_keys: PEM, of one key or of several that the site has had. Raises ReceiptInvalid, with what is wrong, and
    InvalidInput if there is no public key.
    """
    keys = _public_keys(public_keys)
    receipt, signature = opened(text)
    key = keys.get(signature["key"])
    if key is None:
        raise ReceiptInvalid(
            f"it is signed with the key {signature['key']!r}, and the given one is {', '.join(sorted(keys))}: it is of "
            "another site, or of another key of this one"
        )
    try:
        key.verify(base64.b64decode(signature["value"], validate=True), signed_bytes(receipt))
    except (InvalidSignature, ValueError):
        raise ReceiptInvalid("its signature does not fit what it says: it was changed after it was signed") from None
    return receipt


def _public_keys(text: str) -> dict[str, Ed25519PublicKey]:
    keys = {}
    for pem in PUBLIC_PEM.findall(text):
        try:
            key = load_pem_public_key(pem.encode())
        except ValueError:
            continue
        if isinstance(key, Ed25519PublicKey):
            keys[_name(key)] = key
    if not keys:
        raise InvalidInput.of(
            "key", "", "is no public key of Ed25519 in PEM", "give what `aitrain receipt public-key` prints at the site"
        )
    return keys


def _pem(key: Ed25519PublicKey) -> str:
    return key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


def _name(key: Ed25519PublicKey) -> str:
    """A short name of a key: the beginning of the SHA-256 of its 32 bytes."""
    return hashlib.sha256(key.public_bytes(Encoding.Raw, PublicFormat.Raw)).hexdigest()[:NAME_DIGITS]
