"""The settings of what aitrain's own processes write about themselves."""

from __future__ import annotations

from typing import Literal

from aitrain.settings.section import Section


class LoggingSettings(Section):
    """Lines that the processes of the fleet write about themselves, on stderr.

    format: "console": for people; "json": one object a line, for programs; level: the least that is worth a line.
    """

    # What collects lines wants JSON, and whoever tries a site by hand does not: the units and the compose file say so,
    # and nothing is guessed from whether there is a terminal.
    format: Literal["console", "json"] = "console"
    level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
