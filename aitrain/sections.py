"""Sections of the settings that stand on nothing else (see settings.py)."""

from __future__ import annotations

from pathlib import Path

from pydantic import BaseModel, ConfigDict, SecretStr


class Section(BaseModel):
    """What every section is: fixed once read, and without fields that there are not."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class DataStore(Section):
    """A named object storage that speaks S3.

    endpoint_url: where it answers, the SDK's own default if not given; region: as the storage names it; access_key_id:
    the public half of its key; secret_access_key: the other half.
    """

    endpoint_url: str | None = None
    region: str = "us-east-1"
    access_key_id: SecretStr = SecretStr("")
    secret_access_key: SecretStr = SecretStr("")


class SecretSettings(Section):
    """How secrets are kept: keys of data stores, passwords of registries, secret variables of jobs.

    key_file: of control workers, which alone have one: the site's private keys, one a line, the newest first
    (`aitrain secret new-key FILE` makes one); public_key: of clients: seal with this key only, instead of the one that
    control workers tell in the job store (`aitrain secret status` prints it).
    """

    key_file: Path | None = None
    public_key: str | None = None
