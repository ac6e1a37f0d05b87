"""The settings of secrets."""

from __future__ import annotations

from pathlib import Path

from aitrain.settings.section import Section


class SecretSettings(Section):
    """How secrets are kept: keys of data stores, passwords of registries, secret variables of jobs.

    key_file: of control workers, which alone have one: the site's private keys, one a line, the newest first
    (`aitrain secret new-key FILE` makes one); public_key: of clients: seal with this key only, instead of the one that
    control workers tell in the job store (`aitrain secret status` prints it).
    """

    key_file: Path | None = None
    public_key: str | None = None
