"""`aitrain doctor`: checks a site, and this machine as its host, before the first job. Nothing it changes stays."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import replace
from urllib.parse import unquote, urlsplit

from aitrain.settings import Settings
from workers.doctor.finding import Finding, Verdict, worst
from workers.doctor.probes import examine, probes
from workers.gpus.offer import may_offer

__all__ = ["Finding", "Verdict", "diagnose", "run"]

# Shorter ones are no secrets, and would be found in every word.
SECRET_LENGTH = 4


def diagnose(settings: Settings, *, with_host: bool | None = None) -> list[Finding]:
    """Every finding. with_host: this machine as a host too; None: if its settings offer units. Raises nothing."""
    wanted = bool(may_offer(settings)) if with_host is None else with_host
    secrets = _secrets(settings)
    return [
        replace(finding, found=_without(secrets, finding.found))
        for finding in examine(probes(settings, with_host=wanted))
    ]


def run(settings: Settings, arguments: Sequence[str]) -> int:
    """Prints the findings; 1 if one is a FAIL, else 0. arguments: as what, a Format; --host or --no-host."""
    logging.getLogger().setLevel(logging.ERROR)  # what clients say on the way stands in the findings
    from aitrain.output import Format, out, show
    from workers.doctor import report

    with_host = True if "--host" in arguments else False if "--no-host" in arguments else None
    findings = diagnose(settings, with_host=with_host)
    show(report.record(findings), Format(arguments[0]), lambda: report.tell(findings, out))
    return int(worst(findings) is Verdict.FAIL)


def _secrets(settings: Settings) -> list[str]:
    stores = [store.secret_access_key.get_secret_value() for store in settings.data_stores.values()]
    stores.append(settings.shared_registry.password.get_secret_value())
    quoted = [urlsplit(url).password or "" for url in (settings.redis_url, settings.broker_url or "")]
    return [secret for secret in (*stores, *quoted, *map(unquote, quoted)) if len(secret) >= SECRET_LENGTH]


def _without(secrets: Sequence[str], text: str) -> str:
    """Errors of other people's libraries may repeat what they were given."""
    for secret in secrets:
        text = text.replace(secret, "***")
    return text
