"""The container runtime: Docker, and nothing else in aitrain speaks to it."""

from workers.runtime.access import GetAccess, ImageAccess, Right
from workers.runtime.container import Container, ContainerSpec, Ending, Labels, Mount, container_name
from workers.runtime.engine import Engine

__all__ = [
    "Container", "ContainerSpec", "Ending", "Engine", "GetAccess", "ImageAccess", "Labels", "Mount", "Right",
    "container_name",
]  # fmt: skip
