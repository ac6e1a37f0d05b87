"""Copies volumes between object stores and a host's disk. Nothing else in aitrain speaks to object stores."""

from workers.datasync.cache import Cache
from workers.datasync.room import MIB, Room
from workers.datasync.sync import Disk, Preview, VolumeSync

__all__ = ["MIB", "Cache", "Disk", "Preview", "Room", "VolumeSync"]
