"""What clocks, sweeps, hosts and data stores mean."""

from __future__ import annotations

import pytest

from aitrain.settings import DataStore, HostSettings, Settings, Timing
from aitrain.store.inspection import SiteFacts
from workers.datasync.inspection import DataStoreFacts
from workers.doctor import host, site
from workers.doctor.clocks import clock
from workers.doctor.finding import Finding, Verdict, worst
from workers.gpus.offer import offer

NOW = 1_800_000_000_000
TIMING = Timing(sweep_seconds=15, billing_seconds=60)
SWEEPS = ("mark_timeouts", "place_waiting", "recover_lost_hosts", "evict_drained", "drop_dead_messages")


def seen(**ago_s: float) -> SiteFacts:
    return SiteFacts(NOW, {name: NOW - int(1000 * age) for name, age in ago_s.items()}, (), "")


@pytest.mark.parametrize(
    ("ahead_s", "error_s", "verdict"),
    [(0.0, 0.001, "OK"), (-0.9, 0.001, "OK"), (1.5, 0.001, "WARN"), (-1.5, 0.001, "WARN"), (1.5, 0.6, "OK"),
     (60.0, 0.5, "FAIL"), (-60.0, 0.5, "FAIL"), (60.0, 55.0, "WARN")],
)  # fmt: skip
def test_clocks(ahead_s: float, error_s: float, verdict: str) -> None:
    finding = clock("x.clock", ahead_s, error_s)
    assert finding.verdict == verdict
    assert ("NTP" in finding.remedy) == (verdict != "OK")
    assert ("behind" in finding.found) == (verdict != "OK" and ahead_s < 0)


@pytest.mark.parametrize(
    ("facts", "verdict", "found"),
    [
        (seen(), "WARN", "none has ever run"),
        (seen(**dict.fromkeys(SWEEPS, 3), bill_minutes=40), "OK", "3 s ago"),
        (seen(**dict.fromkeys(SWEEPS, 300), bill_minutes=300), "WARN", "300 s ago"),
        (seen(**dict.fromkeys(SWEEPS, 3), bill_minutes=300), "WARN", "bill_minutes"),
        (seen(**dict.fromkeys(SWEEPS, 3)), "WARN", "bill_minutes"),
    ],
)
def test_sweeps(facts: SiteFacts, verdict: str, found: str) -> None:
    finding = site.sweeps(facts, TIMING)
    assert finding.verdict == verdict
    assert found in finding.found


def test_hosts() -> None:
    assert site.hosts(SiteFacts(NOW, {}, (), "")).verdict is Verdict.WARN
    many = tuple(f"h{number}" for number in range(20))
    assert site.hosts(SiteFacts(NOW, {}, many, "")) == Finding(
        "site.hosts", Verdict.OK, "20 alive: h0, h1, h2, h3, h4, h5, h6, h7, ..."
    )
    away = site.hosts(SiteFacts(NOW, {}, many[:1], "", ("h7",)))
    assert (away.verdict, away.found) == (Verdict.WARN, "1 alive: h0; not heard of: h7")


@pytest.mark.parametrize(
    ("counts", "told", "here", "verdict", "found"),
    [
        ({}, None, None, "OK", "aitrain secret new-key"),
        ({}, ["new"], None, "OK", "none is kept"),
        ({"new": 2, "old": 1}, ["new", "old"], None, "OK", "3 kept"),
        ({"new": 2}, None, None, "FAIL", "no control worker has told a key"),
        ({"new": 2, "old": 1}, ["new"], None, "FAIL", "of the control workers does not have: old (1)"),
        ({"new": 2}, ["new"], ["old"], "FAIL", "of this machine does not have: new (2)"),
        ({"old": 2}, ["old"], ["new", "old"], "WARN", "told other keys"),
        ({"new": 2}, ["new"], ["new"], "OK", "2 kept"),
    ],
)  # fmt: skip
def test_secrets(
    counts: dict[str, int], told: list[str] | None, here: list[str] | None, verdict: str, found: str
) -> None:
    finding = site.secrets(counts, told, here)
    assert finding.verdict is Verdict(verdict)
    assert found in finding.found


@pytest.mark.parametrize(
    ("facts", "verdict", "remedy"),
    [
        (DataStoreFacts(2), "OK", ""),
        (DataStoreFacts(None, "AccessDenied", "the keys may not do this"), "OK", ""),
        (DataStoreFacts(None, "NotImplemented", "no such call"), "OK", ""),
        (DataStoreFacts(None, "RequestTimeTooSkewed", "no"), "FAIL", "clock"),
        (DataStoreFacts(None, "SignatureDoesNotMatch", "refused"), "FAIL", "secret_access_key"),
        (DataStoreFacts(None, "404", "not found"), "FAIL", "the address of the S3 service"),
        (DataStoreFacts(None, "", "does not answer"), "FAIL", "endpoint_url in [data_stores.s3]"),
        (DataStoreFacts(2, ahead_s=600, error_s=0.5), "FAIL", "NTP"),
    ],
)
def test_data_stores(facts: DataStoreFacts, verdict: str, remedy: str) -> None:
    findings = site.data_store("s3", "http://x", facts)
    assert worst(findings) == verdict
    assert remedy in " ".join(finding.remedy for finding in findings)


def test_a_data_store_without_keys() -> None:
    finding = site.has_keys("s3", DataStore())
    assert finding is not None
    assert (finding.check, finding.verdict) == ("data_store.s3", Verdict.FAIL)


def test_a_hosts_settings() -> None:
    good = Settings(host=HostSettings(name="gpu-01", units={"cpu": 4}))
    assert host.settings(good, offer(good, ())) == Finding("host.settings", Verdict.OK, "gpu-01 offers 4 x cpu")
    for wrong in (HostSettings(units={"cpu": 1}), HostSettings(name="h"), HostSettings(name="h", units={"tpu": 1})):
        finding = host.settings(Settings(host=wrong), offer(good, ()))
        assert finding.verdict is Verdict.FAIL
        assert finding.remedy


@pytest.mark.parametrize(("holder", "verdict"), [("", "OK"), ("me", "OK"), ("another", "FAIL")])
def test_a_hosts_name(holder: str, verdict: str) -> None:
    finding = host.name(Settings(host=HostSettings(name="gpu-01")), SiteFacts(NOW, {}, (), holder), "me")
    assert finding.verdict == verdict
    assert ("host.name" in finding.remedy) == (verdict == "FAIL")
