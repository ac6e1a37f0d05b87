"""What a job's volumes were filled with, and what was pushed from them: for the receipt of the attempt."""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Sequence
from typing import Any

from aitrain.domain.volume import Volume
from workers.datasync import GitSync, VolumeSync
from workers.step import Run

log = logging.getLogger(__name__)

# "inputs" or "outputs", and the listing of each volume by its mount path.
Listing = tuple[str, dict[str, Any]]
# A job may have hundreds of volumes; of all of them so many times as many objects are listed as of one.
FULL_LISTINGS = 10
Volumes = Sequence[tuple[Volume, VolumeSync | GitSync]]


def inputs(run: Run, volumes: Volumes) -> Listing | None:
    """What the volumes were filled with; None where the site makes no receipts. After all of them are pulled."""
    return _listing(run, "inputs", volumes)


def outputs(run: Run, volumes: Volumes) -> Listing | None:
    """What was pushed from the writable ones, in this try or an earlier one. After all of them are pushed."""
    written = [(volume, sync) for volume, sync in volumes if volume.permission.writable]
    return _listing(run, "outputs", written)


def _listing(run: Run, part: str, volumes: Volumes) -> Listing | None:
    if not volumes or not run.machine.store.makes_receipts():
        return None
    most = run.machine.settings.receipts.listed_objects
    left, told = FULL_LISTINGS * most, dict[str, Any]()
    try:
        for volume, sync in volumes:
            listing = (sync.pulled if part == "inputs" else sync.pushed)(min(most, left))
            if listing is not None:
                told[volume.mount_path] = listing
                left -= len(listing.get("objects", ()))
    except (OSError, sqlite3.Error) as error:  # a receipt says what it does not know; the job goes on
        log.warning("job %s: its %s are not listed: %s", run.job.id, part, error)
        return None
    return part, told
