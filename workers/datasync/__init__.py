"""Copies volumes between object stores and a host's disk. Nothing else in aitrain speaks to object stores."""

from workers.datasync.sync import Preview, VolumeSync

__all__ = ["Preview", "VolumeSync"]
