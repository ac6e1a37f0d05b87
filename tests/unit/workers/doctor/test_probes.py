"""One check that fails, hangs or lies does not hide the others."""

from __future__ import annotations

import threading
from io import StringIO

from rich.console import Console

from aitrain.domain.errors import InvalidInput, StoreUnavailable
from aitrain.settings import Settings, load_settings
from workers import doctor
from workers.doctor.finding import Finding, Verdict, fail, ok, warn, worst
from workers.doctor.probes import examine, probes
from workers.doctor.report import record, tell


def test_each_probe_speaks_for_itself_and_in_bounded_time() -> None:
    never = threading.Event()

    def raises(error: Exception) -> list[Finding]:
        raise error

    def hangs() -> list[Finding]:
        never.wait()
        return []

    findings = examine(
        [
            ("a", lambda: [ok("a.x", "fine"), ok("a.y", "fine")]),
            ("b", lambda: raises(ZeroDivisionError("oops"))),
            ("c", hangs),
            ("d", lambda: raises(StoreUnavailable("gone"))),
            ("e", lambda: raises(InvalidInput.of("redis_url", "", "is not a Redis URL", "write redis://"))),
            ("f", list),
            ("g", lambda: [ok("g", "fine")]),
        ],
        seconds=0.3,
    )
    never.set()
    assert [finding.check for finding in findings] == ["a.x", "a.y", "b", "c", "d", "e", "g"]
    assert "ZeroDivisionError: oops" in findings[2].found
    assert "no answer within 0.3 s" in findings[3].found
    assert findings[5].remedy == "write redis://"
    assert all(finding.remedy for finding in findings if finding.verdict is not Verdict.OK)


def test_the_host_is_checked_if_it_offers_something_or_is_asked_for() -> None:
    def names(settings: Settings, *, with_host: bool) -> set[str]:
        return {name for name, _ in probes(settings, with_host=with_host)}

    site = {"store", "broker", "site", "site.secrets", "data_store"}
    assert names(Settings(), with_host=False) == site
    assert names(Settings(), with_host=True) == site | {
        "host",
        "host.name",
        "host.data_dir",
        "engine",
        "host.registry_certs",
    }
    gpus = load_settings(host={"units": {"h100": 1}}, data_stores={"s3": {}})
    assert {"gpu", "data_store.s3"} <= names(gpus, with_host=True)
    shared = load_settings(shared_registry={"server": "registry.lab:5000"})
    assert "shared_registry" in names(shared, with_host=True) - names(shared, with_host=False)


def test_the_report_names_each_remedy_and_takes_text_as_it_is() -> None:
    findings = [ok("a", "fine"), warn("b", "[red]so so[/x]", "do [this]"), fail("c", "broken", "mend it")]
    written = StringIO()
    console = Console(width=100, file=written)
    tell(findings, console)
    text = written.getvalue()
    assert "[red]so so[/x]" in text
    assert text.index("FAIL c: mend it") < text.index("WARN b: do [this]") < text.index("1 OK, 1 WARN, 1 FAIL")
    told = record(findings)
    assert told["verdict"] == "FAIL"
    assert told["findings"][1] == {"check": "b", "verdict": "WARN", "found": "[red]so so[/x]", "remedy": "do [this]"}


def test_the_gravest_verdict() -> None:
    assert worst([]) is Verdict.OK
    assert worst([warn("a", "", ""), ok("b", "")]) is Verdict.WARN
    assert worst([warn("a", "", ""), fail("b", "", ""), ok("c", "")]) is Verdict.FAIL


def test_secrets_are_not_repeated() -> None:
    settings = load_settings(redis_url="redis://:p%40ss-word@h/0", data_stores={"s": {"secret_access_key": "s3cret"}})
    secrets = doctor._secrets(settings)
    assert doctor._without(secrets, "p%40ss-word p@ss-word s3cret") == "*** *** ***"
