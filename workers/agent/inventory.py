"""What a host is and offers. Here: what its settings declare."""

from __future__ import annotations

import uuid
from pathlib import Path

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


def instance_of(data_dir: Path) -> str:
    """Which machine this is, whatever it calls itself: an id that is made once and kept in its data directory.

    Raises InvalidInput if the directory cannot be written.
    """
    file = data_dir / "instance"
    try:
        if not file.exists():
            data_dir.mkdir(parents=True, exist_ok=True)
            file.write_text(uuid.uuid4().hex)
        return file.read_text()
    except OSError as error:
        raise InvalidInput.of("host.data_dir", data_dir, f"cannot be used ({error})", "name a writable one") from error
