"""Egress: what a job may reach over the network."""

from __future__ import annotations

from enum import StrEnum


class Egress(StrEnum):
    """What jobs reach: whatever their host does, but not each other; or nothing at all."""

    BRIDGE = "bridge"
    NONE = "none"
