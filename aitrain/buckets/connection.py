"""How a data store of the kind S3 is spoken to: here for people's own transfers, in workers.datasync for volumes."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from aitrain.settings import DataStore


def trust(ca_file: Path | None) -> None:
    """Has this process trust these authorities (PEM) of data stores instead of the system's, in boto3's own way."""
    if ca_file is not None:
        os.environ["AWS_CA_BUNDLE"] = str(ca_file)


def connect(
    store: DataStore,
    *,
    connect_seconds: float,
    read_seconds: float,
    attempts: int,
    connections: int,
    ca_file: Path | None = None,
) -> Any:
    """A client of boto3. attempts: how often a request is sent until it counts as failed; connections: that stay open;
    ca_file: PEM of the authorities to trust; None: those of AWS_CA_BUNDLE, else boto3's.

    Raises ValueError for an address or a region that is none.
    """
    import boto3  # takes long to load, and most of a client's work does without
    from botocore.config import Config

    return boto3.session.Session().client(
        "s3",
        endpoint_url=store.endpoint_url,
        region_name=store.region,
        aws_access_key_id=store.access_key_id.get_secret_value(),
        aws_secret_access_key=store.secret_access_key.get_secret_value(),
        verify=None if ca_file is None else str(ca_file),
        config=Config(
            connect_timeout=connect_seconds,
            read_timeout=read_seconds,
            # Pauses that grow, with jitter.
            retries={"mode": "standard", "max_attempts": attempts},
            max_pool_connections=connections,
            # Stores that are not Amazon's often do not know the newer trailing checksums.
            request_checksum_calculation="when_required",
            response_checksum_validation="when_required",
            s3={"addressing_style": "path"} if store.endpoint_url else None,
        ),
    )
