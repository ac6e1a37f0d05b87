"""Copies volumes between object stores, git servers and a host's disk. Nothing else in aitrain speaks to them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from aitrain.domain.job import VolumeProgress
from aitrain.domain.volume import Volume
from aitrain.settings import Settings
from workers.datasync.git import GitSync
from workers.datasync.sync import VolumeSync

__all__ = ["GitSync", "VolumeSync", "copier"]


def copier(
    volume: Volume,
    settings: Settings,
    directory: Path,
    *,
    owner: tuple[int, int],
    checkpoint: Callable[[], None],
    report: Callable[[VolumeProgress], None],
) -> VolumeSync | GitSync:
    """What copies a volume, by where its content comes from. The rest as for VolumeSync."""
    if volume.url:
        return GitSync(volume, settings.host, directory, owner=owner, checkpoint=checkpoint, report=report)
    return VolumeSync(volume, settings.data_stores, directory, owner=owner, checkpoint=checkpoint, report=report)
