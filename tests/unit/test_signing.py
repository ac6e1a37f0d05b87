"""A receipt that was touched, or that another signed, is told for what it is."""

from __future__ import annotations

import base64
import copy
import json
import resource
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aitrain.cli.app import run
from aitrain.domain.canonical import canonical
from aitrain.domain.errors import InvalidInput, ReceiptInvalid
from aitrain.domain.receipt import SCHEMA
from aitrain.signing import Signer, verify, write_new_key

RECEIPT = {
    "schema": SCHEMA, "site": "aitrain", "issued_ms": 1, "job": "j", "attempt": 1, "command": ["é", "a\tb"],
    "end": {"state": "DONE"}, "bill": {"amount": "1.93", "currency": "EUR"}, "exit_code": None,
}  # fmt: skip


@pytest.fixture(scope="module")
def signer(tmp_path_factory: pytest.TempPathFactory) -> Signer:
    return write_new_key(tmp_path_factory.mktemp("keys") / "key.pem")


def written(document: Any) -> bytes:
    return json.dumps(document, indent=2).encode()


def test_what_was_signed_is_valid_however_it_is_laid_out(signer: Signer) -> None:
    document = signer.sign(RECEIPT)
    assert verify(written(document), signer.public_key) == RECEIPT
    assert verify(json.dumps(dict(reversed(document.items()))).encode(), signer.public_key) == RECEIPT


def test_a_key_file_is_made_once_and_is_its_owners_alone(tmp_path: Path) -> None:
    path = tmp_path / "key.pem"
    made = write_new_key(path)
    assert path.stat().st_mode & 0o777 == 0o600
    assert Signer.of(path).public_key == made.public_key
    with pytest.raises(InvalidInput, match="File exists"):
        write_new_key(path)


def test_half_a_key_does_not_stand_in_the_way_of_a_whole_one(tmp_path: Path) -> None:
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10, before[1]))
    try:
        with pytest.raises(InvalidInput, match="cannot be made"):
            write_new_key(tmp_path / "key.pem")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert write_new_key(tmp_path / "key.pem").public_key == Signer.of(tmp_path / "key.pem").public_key


@given(st.data())
def test_any_change_of_what_it_says_is_found(signer: Signer, data: st.DataObject) -> None:
    document = copy.deepcopy(signer.sign(RECEIPT))
    at: Any = document["receipt"]
    path = [data.draw(st.sampled_from(sorted(at.keys() - {"schema"})))]
    while isinstance(at[path[-1]], dict):
        at = at[path[-1]]
        path.append(data.draw(st.sampled_from(sorted(at))))
    before = at[path[-1]]
    at[path[-1]] = data.draw(st.one_of(st.none(), st.integers(), st.text(), st.lists(st.text())))
    if canonical(at[path[-1]]) != canonical(before):
        with pytest.raises(ReceiptInvalid, match="changed after it was signed"):
            verify(written(document), signer.public_key)


def test_a_missing_and_a_new_member_are_found(signer: Signer) -> None:
    document = signer.sign({name: value for name, value in RECEIPT.items() if name != "site"})
    for receipt in (RECEIPT, {"schema": SCHEMA}):
        with pytest.raises(ReceiptInvalid, match="changed after it was signed"):
            verify(written(document | {"receipt": receipt}), signer.public_key)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (b"no json", "cannot be read"),
        (b"\xff\xfe", "cannot be read"),
        (b"[" * 100_000, "cannot be read"),
        (b"[]", "it is no receipt"),
        (b'{"receipt": {}}', "it is no receipt"),
        (b'{"receipt": {}, "signature": {}, "note": 1}', "it is no receipt"),
        (b'{"receipt": {"a": 1, "a": 2}, "signature": {}}', "twice"),
        (b'{"receipt": {"a": 1.5}, "signature": {}}', "no whole number"),
        (b'{"receipt": {"schema": "aitrain.receipt/9"}, "signature": {}}', "schema is 'aitrain.receipt/9'"),
        (b'{"receipt": 7, "signature": {}}', "schema is None"),
        (written({"receipt": RECEIPT, "signature": {"algorithm": "none", "key": "", "value": ""}}), "none of"),
        (written({"receipt": RECEIPT, "signature": {}}), "none of"),
        (written({"receipt": RECEIPT, "signature": None}), "none of"),
    ],
)  # fmt: skip
def test_what_is_no_receipt_of_ours_is_told(signer: Signer, text: bytes, why: str) -> None:
    with pytest.raises(ReceiptInvalid, match=why):
        verify(text, signer.public_key)


def test_another_key_and_a_false_name_of_a_key_are_told_apart(signer: Signer, tmp_path: Path) -> None:
    other = write_new_key(tmp_path / "other.pem")
    document = signer.sign(RECEIPT)
    with pytest.raises(ReceiptInvalid, match="another site, or of another key"):
        verify(written(document), other.public_key)
    document["signature"]["key"] = other.sign(RECEIPT)["signature"]["key"]
    with pytest.raises(ReceiptInvalid, match="changed after it was signed"):
        verify(written(document), other.public_key)
    document["signature"]["value"] = "no base64!"
    with pytest.raises(ReceiptInvalid, match="changed after it was signed"):
        verify(written(document), other.public_key)


def test_receipts_of_an_earlier_key_are_valid_beside_the_new_one(signer: Signer, tmp_path: Path) -> None:
    new = write_new_key(tmp_path / "new.pem")
    assert verify(written(signer.sign(RECEIPT)), f"ours since May:\n{new.public_key}\n{signer.public_key}") == RECEIPT


@pytest.mark.parametrize("content", ["", "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"])
def test_a_file_that_is_no_key_is_wrong_input(tmp_path: Path, signer: Signer, content: str) -> None:
    path = tmp_path / "key.pem"
    with pytest.raises(InvalidInput, match="cannot be read"):
        Signer.of(path)
    path.write_text(content)
    with pytest.raises(InvalidInput, match="no private key"):
        Signer.of(path)
    with pytest.raises(InvalidInput, match="no public key"):
        verify(written(signer.sign(RECEIPT)), content)


def test_another_program_checks_it(signer: Signer, tmp_path: Path) -> None:
    document = signer.sign(RECEIPT)
    (tmp_path / "public.pem").write_text(signer.public_key)
    (tmp_path / "signature").write_bytes(base64.b64decode(document["signature"]["value"]))
    (tmp_path / "text").write_bytes(canonical(document["receipt"]))
    done = subprocess.run(
        "openssl pkeyutl -verify -pubin -inkey public.pem -rawin -in text -sigfile signature".split(), cwd=tmp_path,
        check=False, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_command_needs_nothing_but_the_file_and_the_key(
    signer: Signer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    # Settings that would be wrong if they were read.
    monkeypatch.setenv("AITRAIN_CONFIG", "/nonexistent")
    Path("public.pem").write_text(signer.public_key)
    Path("receipt.json").write_bytes(written(signer.sign(RECEIPT)))
    Path("forged.json").write_bytes(Path("receipt.json").read_bytes().replace(b'"1.93"', b'"0.01"'))

    def check(file: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["aitrain", "receipt", "verify", file, "--key", "public.pem"])
        try:
            status = run()
        except SystemExit as end:
            status = int(end.code or 0)
        told = capsys.readouterr()
        return status, told.out, told.err

    assert check("receipt.json") == (
        0,
        "valid: site aitrain signed on 1970-01-01 00:00:00 UTC that attempt 1 of job j ended DONE and owes 1.93 EUR\n",
        "",
    )
    status, said, wrong = check("forged.json")
    assert (status, said) == (1, "")
    assert "changed after it was signed" in wrong
    assert check("gone.json")[0] == 2
