"""Certificates of registries' authorities, laid where the engine looks for them at each pull.

The engine trusts, beside the system's authorities, every *.crt in the folder of a registry's name. So a file of ours is
named by what it holds: it takes no other's place, and two workers that lay it at once do no harm. It stays there, and
who is trusted for a registry is so on this host, for all projects' pulls from it.
"""

from __future__ import annotations

import os
from hashlib import sha256
from pathlib import Path
from tempfile import NamedTemporaryFile

from aitrain.domain.errors import PlatformFault
from aitrain.domain.states import EndCause, InfoCode

READABLE = 0o644


def lay_authority(directory: Path | None, server: str, pem: str) -> None:
    """Has the engine trust the authority of a registry.

    directory: see HostSettings.registry_certs_dir; None: the operator sees to it; pem: its certificates. Does nothing
    if they lie there already, under whatever name. Raises PlatformFault if they cannot be laid.
    """
    if directory is None:
        return
    folder, text = directory / server, pem.strip() + "\n"
    try:
        if any(_holds(file, text) for file in folder.glob("*.crt")):
            return
        folder.mkdir(parents=True, exist_ok=True)
        with NamedTemporaryFile("w", dir=folder, prefix=".aitrain-", delete=False) as file:
            file.write(text)
        laid = Path(file.name)
        laid.chmod(READABLE)
        laid.rename(folder / f"aitrain-{sha256(text.encode()).hexdigest()[:16]}.crt")
    except OSError as error:
        raise PlatformFault(
            EndCause.REGISTRY_UNAVAILABLE,
            InfoCode.JOB_REGISTRY_UNAVAILABLE,
            f"the certificate of registry {server} cannot be laid for the engine ({error}). Let the worker write to "
            f"{directory}, or lay it there as {server}/ca.crt yourself",
        ) from error


def can_be_laid(directory: Path) -> bool:
    """Whether this process may write there, or make it."""
    there = next(path for path in (directory, *directory.parents) if path.exists())
    return there.is_dir() and os.access(there, os.W_OK | os.X_OK)


def _holds(file: Path, text: str) -> bool:
    return text.strip() in file.read_text(errors="replace")
