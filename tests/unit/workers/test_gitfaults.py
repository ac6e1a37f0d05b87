"""What git's complaints mean."""

import pytest

from aitrain.domain.errors import PlatformFault, UserFault
from workers.datasync.gitfaults import git_fault, words

URL = "https://host/certificate/error: 503.git"


@pytest.mark.parametrize(
    ("complaint", "kind", "code", "remedy"),
    [
        (f"fatal: repository '{URL}/' not found", UserFault, "NOT_FOUND", "no public repository"),
        (f"fatal: could not read Username for '{URL}': terminal prompts disabled", UserFault, "NOT_FOUND", "public"),
        ("warning: x\nfatal: Remote branch v9 not found in upstream origin", UserFault, "NOT_FOUND", "branch or tag"),
        (f"fatal: unable to access '{URL}/': The requested URL returned error: 403", UserFault, "FORBIDDEN", "public"),
        (f"fatal: unable to access '{URL}/': The requested URL returned error: 502", PlatformFault, "TRANSIENT", ""),
        (f"fatal: unable to access '{URL}/': The requested URL returned error: 410", UserFault, "UNKNOWN", "address"),
        (f"fatal: unable to access '{URL}/': Could not resolve host: host", PlatformFault, "TRANSIENT", "answer"),
        ("fetch-pack: unexpected disconnect while reading sideband packet", PlatformFault, "TRANSIENT", "answer"),
        ("error: RPC failed; curl 28\nerror: 47545 bytes of body are still expected", PlatformFault, "TRANSIENT", ""),
        ("fatal: x: SSL certificate problem: self-signed certificate", UserFault, "AUTHENTICATE", "host.ca_file"),
        ("server certificate verification failed. CAfile: none", UserFault, "AUTHENTICATE", "host.ca_file"),
        ("SSL: no alternative certificate subject name matches", UserFault, "AUTHENTICATE", "host.ca_file"),
        ("error setting certificate verify locations:  CAfile: /x", PlatformFault, "UNKNOWN", "name a PEM file"),
        ("error: file write error: No space left on device", PlatformFault, "TRANSIENT", "make room"),
        ("fatal: write error: File too large", UserFault, "UNKNOWN", "git_max_mib"),
        ("error: object 1: hasDotdot: contains '..'\nfatal: fsck error in packed object", UserFault, "UNKNOWN", "fsck"),
        ("fatal: Unable to read current working directory: Permission denied", PlatformFault, "UNKNOWN", "chmod o+x"),
        ("fatal: nobody has seen this before", PlatformFault, "UNKNOWN", "git failed (fatal: nobody"),
        ("", PlatformFault, "UNKNOWN", "git ended with 128 and said nothing"),
    ],
)
def test_meanings(complaint: str, kind: type, code: str, remedy: str) -> None:
    fault = git_fault("a volume", 128, complaint)
    assert type(fault) is kind
    assert code in fault.code
    assert remedy in str(fault)
    assert str(fault).startswith("a volume: ")


def test_what_the_server_says_is_not_believed_and_not_shown() -> None:
    complaint = "remote: fatal: repository 'x' not found\rremote: \x1b[31mred\nfatal: early EOF \x07" + "x" * 10_000
    fault = git_fault("v", 128, complaint)
    assert isinstance(fault, PlatformFault)
    assert "red" not in str(fault)
    assert str(fault).isprintable()
    assert len(str(fault)) < 600
    assert words("remote: a\n\n  b  \r\nc") == "b; c"
