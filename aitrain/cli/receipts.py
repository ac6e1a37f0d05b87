"""Commands on run receipts. Making and checking keys and receipts needs no site."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from aitrain.cli.output import Format, Output, facts, flat
from aitrain.cli.output import show as show_data
from aitrain.cli.refs import JobRef, found_or_same
from aitrain.client import Client
from aitrain.domain.errors import InvalidInput
from aitrain.domain.job import moment
from aitrain.settings import load_settings
from aitrain.signing import Signer, verify, write_new_key

app = typer.Typer(no_args_is_help=True, help="Receipts of what a run was given, did and cost, signed by the site.")


@app.command()
def show(
    job: JobRef,
    attempt: Annotated[int | None, typer.Option(min=1, help="Of this attempt; the newest if left out.")] = None,
    output: Output = Format.JSON,
) -> None:
    """Print the signed receipt of a job's attempt. Send its JSON into a file to keep it, and for `verify`."""
    with Client() as client:
        # A receipt outlives its job.
        receipt = client.receipt(found_or_same(client, job), attempt)
    show_data(receipt, output, lambda: facts(_told(name, value) for name, value in flat(receipt["receipt"])))


@app.command("verify")
def verify_receipt(
    file: Annotated[Path, typer.Argument(help="A receipt as `show` printed it; - for standard input.")],
    key: Annotated[Path, typer.Option(help="The site's public key, or several, as `public-key` prints them.")],
) -> None:
    """Check that a receipt is as the site signed it. Needs no settings and no network. Exit status 1: it is not."""
    text = sys.stdin.buffer.read() if str(file) == "-" else _read("FILE", file)
    receipt = verify(text, _read("key", key).decode(errors="replace"))
    issued, bill = f"{moment(receipt['issued_ms']):%Y-%m-%d %H:%M:%S} UTC", receipt["bill"]
    what = f"attempt {receipt['attempt']} of job {receipt['job']} ended {receipt['end']['state']}"
    owes = f"owes {bill['amount']} {bill['currency']}"
    typer.echo(f"valid: site {receipt['site']} signed on {issued} that {what} and {owes}")


@app.command()
def new_key(file: Annotated[Path, typer.Argument(help="A new file; only its owner may read it.")]) -> None:
    """Make a key to sign receipts with, for receipts.key_file of control workers. Prints its public half."""
    typer.echo(write_new_key(file).public_key, nl=False)


@app.command()
def public_key(
    file: Annotated[Path | None, typer.Argument(help="A private key; the one of the settings if left out.")] = None,
) -> None:
    """Print the public half of the key that receipts are signed with, for whoever is to check them."""
    if file is not None:
        typer.echo(Signer.of(file, "FILE").public_key, nl=False)
        return
    path = load_settings().receipts.key_file
    if path is None:
        remedy = "name a file, or set it: `aitrain receipt new-key FILE` makes one"
        raise InvalidInput.of("receipts.key_file", "", "is not set", remedy)
    typer.echo(Signer.of(path).public_key, nl=False)


def _told(name: str, value: Any) -> tuple[str, str]:
    """A fact as people read it: times are Unix ms in a receipt."""
    if name.endswith("_ms") and value:
        return name.removesuffix("_ms"), f"{moment(value):%Y-%m-%d %H:%M:%S} UTC"
    return name, "" if value in (None, [], {}) else str(value)


def _read(what: str, path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise InvalidInput.of(what, path, f"cannot be read ({error.strerror})", "name a file") from error
