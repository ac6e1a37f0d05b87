"""Runs one of the fleet's processes: `python -m workers ROLE`, which is what `aitrain ROLE` does.

Each role is imported where it is chosen: most replace this process, and would load for nothing what others need.
"""

from __future__ import annotations

import importlib.util
import logging
import os
import sys

from aitrain.domain.errors import AitrainError, InvalidInput
from aitrain.settings import Settings, load_settings
from workers import commands

log = logging.getLogger(__name__)


def main(role: str, arguments: list[str]) -> int:
    """Runs a role; its exit status. The roles that are Celery's take this process over."""
    if role == "drill":  # a site of its own: the settings of this one are none of its business
        from workers.drill.drill import main as drill

        return drill(arguments[0])
    if role == "simulate":  # its progress and its report are its own
        from workers.simulation.command import main as simulate

        return simulate(arguments[0])
    logging.basicConfig(level=logging.INFO, format=f"%(asctime)s %(levelname)s {role}: %(message)s")
    try:
        settings = load_settings()
        if role in ("worker", "agent", "host"):
            from workers.agent.inventory import check_inventory

            check_inventory(settings)
        match role:
            case "agent":
                from workers.agent import agent

                return agent.run(settings)
            case "host":
                from workers import host

                return host.run(settings)
            case "doctor" | "kept" | "cache":
                return _shown(role, settings, arguments)
            case "worker":
                command = commands.worker(settings)
            case "control":
                _check_keys(settings)
                command = commands.control()
            case "beat":
                command = commands.beat(*arguments)
            case "flower":
                command = commands.flower(arguments[0], int(arguments[1]), arguments[2])
            case _:
                raise ValueError(f"no role {role!r}")
    except AitrainError as error:
        log.error("%s", error)  # noqa: TRY400 - the message says it all
        return 2
    return os.execv(command[0], command)  # noqa: S606 - no shell is wanted


def _check_keys(settings: Settings) -> None:
    """Raises InvalidInput for a key that cannot be read: told here, not by every sweep."""
    from aitrain.signing import Signer
    from aitrain.vault import Vault

    if path := settings.receipts.key_file:
        Signer.of(path)
    Vault.of(settings.secrets.key_file)


def _shown(role: str, settings: Settings, arguments: list[str]) -> int:
    """Of the roles that print something; a host that only runs needs not what draws it."""
    if importlib.util.find_spec("rich") is None:
        raise InvalidInput.of("installation", "rich", "is not installed", "pip install 'aitrain[cli]'")
    from workers import cached, doctor, kept

    return {"doctor": doctor.run, "kept": kept.run, "cache": cached.run}[role](settings, arguments)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2:]))
