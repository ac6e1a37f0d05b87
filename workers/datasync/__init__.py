"""Copies volumes between object stores, git servers and a host's disk. Nothing else in aitrain speaks to them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from aitrain.domain.job import VolumeProgress
from aitrain.domain.volume import Volume
from aitrain.settings import DataStore, HostSettings
from workers.datasync.allowance import Allowance
from workers.datasync.cache import Cache
from workers.datasync.git import GitSync
from workers.datasync.room import MIB, Room
from workers.datasync.sync import Disk, Preview, VolumeSync, push_all

__all__ = ["MIB", "Allowance", "Cache", "Disk", "GitSync", "Preview", "Room", "VolumeSync", "copier", "push_all"]


def copier(
    volume: Volume,
    stores: Mapping[str, DataStore],
    directory: Path,
    *,
    owner: tuple[int, int],
    checkpoint: Callable[[], None],
    report: Callable[[VolumeProgress], None],
    project: str,
    disk: Disk,
    host: HostSettings,
) -> VolumeSync | GitSync:
    """What copies a volume, by where its content comes from. host: limits and authorities of git; others as there."""
    if volume.url:
        return GitSync(volume, host, directory, owner=owner, checkpoint=checkpoint, report=report)
    return VolumeSync(
        volume, stores, directory, owner=owner, checkpoint=checkpoint, report=report, project=project, disk=disk
    )
