"""Runs one of the fleet's processes: `python -m workers ROLE`, which is what `aitrain ROLE` does.

Each role is imported where it is chosen: most replace this process, and would load for nothing what others need.
"""

from __future__ import annotations

import importlib.util
import logging
import os
import resource
import sys

from aitrain.domain.errors import AitrainError, InvalidInput
from aitrain.settings import Settings, load_settings
from workers import commands

log = logging.getLogger(__name__)


# Those that write to the job store, and those that show what is there, for as long as they run.
OF_THE_FLEET = ("host", "worker", "agent", "control", "beat", "flower", "metrics")


def main(role: str, arguments: list[str]) -> int:
    """Runs a role; its exit status. The roles that are Celery's take this process over."""
    if role == "drill":  # a site of its own: the settings of this one are none of its business
        from workers.drill.drill import main as drill

        return drill(arguments[0])
    if role == "simulate":  # its progress and its report are its own
        from workers.simulation.command import main as simulate

        return simulate(arguments[0])
    # Until the settings are read, which say how lines are to look.
    logging.basicConfig(level=logging.INFO, format=f"%(asctime)s %(levelname)s {role}: %(message)s")
    try:
        settings = load_settings()
        logging.getLogger().handlers = [_FirstLine(settings, role)]
        if role in ("worker", "agent", "host"):
            from workers.agent.inventory import check_inventory

            check_inventory(settings)
        if role in OF_THE_FLEET:
            # A core file has every secret that was opened. What a role starts, or becomes, has this limit, too.
            resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
            from workers.schema import await_ours

            await_ours(settings, migrates=role == "control")
        match role:
            case "agent":
                from workers.agent import agent

                _set_up(settings, role)
                return agent.run(settings)
            case "host":
                from workers import host

                _set_up(settings, role)
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
            case "metrics":
                from workers.metrics.exporter import run as export

                _set_up(settings, role)
                return export(settings, arguments[0], int(arguments[1]))
            case "flower":
                command = _flower(settings, *arguments)
            case _:
                raise ValueError(f"no role {role!r}")
    except AitrainError as error:
        log.error("%s", error)  # noqa: TRY400 - the message says it all
        return 2
    return os.execv(command[0], command)  # noqa: S606 - no shell is wanted


def _flower(settings: Settings, address: str, port: str, read_only: str, config: str) -> list[str]:
    """What must not be started is told before Flower is: see workers/flower.py. read_only: "yes", "no", or "" for what
    the settings say; config: a flowerconfig.py, "" for the settings' one.
    """
    from workers.flower import check_doors, configuration

    shown_only = settings.flower.read_only if not read_only else read_only == "yes"
    if config:
        os.environ["AITRAIN_FLOWER__CONFIG_FILE"] = config
        settings = load_settings()
    found = configuration(settings, read_only=shown_only)
    by_variables = os.environ.get("FLOWER_BASIC_AUTH") or os.environ.get("FLOWER_AUTH")
    check_doors(address, found.get("basic_auth") or found.get("auth") or by_variables)
    return commands.flower(address, int(port), read_only=shown_only)


class _FirstLine(logging.Handler):
    """Gives lines their form once there is one: most roles write none before they become another program, which does
    so itself, and what it takes is loaded for nothing.
    """

    def __init__(self, settings: Settings, role: str) -> None:
        super().__init__()
        self._settings, self._role = settings, role

    def emit(self, record: logging.LogRecord) -> None:
        """Hands it over to what takes this one's place."""
        _set_up(self._settings, self._role)
        logging.getLogger().handle(record)


def _set_up(settings: Settings, role: str) -> None:
    """Gives log lines their form. Those that Celery takes over do it after that, so it is loaded where it is used."""
    from workers.log_output import set_up

    set_up(settings, role)


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
