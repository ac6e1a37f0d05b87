"""The settings of data stores."""

from __future__ import annotations

from pydantic import SecretStr

from aitrain.settings.section import Section


class DataStore(Section):
    """A named object storage that speaks S3.

    endpoint_url: where it answers, the SDK's own default if not given; region: as the storage names it; access_key_id:
    the public half of its key; secret_access_key: the other half.
    """

    endpoint_url: str | None = None
    region: str = "us-east-1"
    access_key_id: SecretStr = SecretStr("")
    secret_access_key: SecretStr = SecretStr("")
