"""What a host is and offers. Here: what its settings declare."""

from __future__ import annotations

from aitrain.domain.errors import InvalidInput
from aitrain.settings import Settings


def check_inventory(settings: Settings) -> None:
    """Checks what a host's settings promise.

    Raises InvalidInput if the host has no name, offers nothing, or a flavor that the catalogue does not have.
    """
    if "name" not in settings.host.model_fields_set:
        raise InvalidInput.of(
            "host.name", "", "is not set", "give this host a name of its own, as in AITRAIN_HOST__NAME=gpu-01"
        )
    if not settings.host.units:
        raise InvalidInput.of(
            "host.units", "", "is empty", "say what this host offers, as in AITRAIN_HOST__UNITS='{\"cpu\": 4}'"
        )
    for flavor in settings.host.units:
        if flavor not in settings.flavors:
            known = ", ".join(sorted(settings.flavors))
            raise InvalidInput.of("host.units", flavor, "is not a flavor of this site", f"use one of: {known}")
