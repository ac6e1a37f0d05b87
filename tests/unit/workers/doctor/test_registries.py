"""Whether images can be had."""

from pathlib import Path

import pytest

from workers.doctor.finding import Verdict
from workers.doctor.registries import certificates, shared
from workers.logins import Login, LoginAnswer


@pytest.mark.parametrize("login", list(Login))
def test_what_is_wrong_with_the_shared_registry(login: Login) -> None:
    finding = shared("r.lab:5000", LoginAnswer(login, "its words"))
    wanted = {Login.DONE: Verdict.OK, Login.PLAIN: Verdict.WARN}
    assert finding.verdict is wanted.get(login, Verdict.FAIL)
    assert "r.lab:5000" in finding.found
    assert bool(finding.remedy) is (login is not Login.DONE)


def test_the_place_of_certificates() -> None:
    assert certificates(None, can_be_laid=False).verdict is Verdict.OK
    assert certificates(Path("/etc/docker/certs.d"), can_be_laid=True).verdict is Verdict.OK
    unwritable = certificates(Path("/etc/docker/certs.d"), can_be_laid=False)
    assert unwritable.verdict is Verdict.WARN
    assert "/etc/docker/certs.d/REGISTRY/ca.crt" in unwritable.remedy
