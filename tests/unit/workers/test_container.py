"""What the engine's answers mean."""

import pytest

from workers.runtime.container import engine_time_ms
from workers.runtime.faults import pull_fault


@pytest.mark.parametrize(
    ("text", "ms"),
    [
        ("0001-01-01T00:00:00Z", None),
        ("1970-01-01T00:00:01Z", 1000),
        ("1970-01-01T00:00:01.5Z", 1500),
        ("1970-01-01T00:00:01.123456789Z", 1123),
        ("1970-01-01T00:00:01.07Z", 1070),
    ],
)
def test_engine_times(text: str, ms: int | None) -> None:
    assert engine_time_ms(text) == ms


@pytest.mark.parametrize(
    ("reason", "code"),
    [
        ("manifest for x:1 not found: manifest unknown", "JOB_IMAGE_PULL"),
        ("pull access denied for x, repository does not exist or may require 'docker login'", "JOB_IMAGE_PULL"),
        ("unauthorized: authentication required", "JOB_IMAGE_PULL"),
        ("dial tcp: lookup nowhere.example: no such host", "JOB_REGISTRY_UNAVAILABLE"),
        ("Get https://x/v2/: net/http: request canceled (Client.Timeout exceeded)", "JOB_REGISTRY_UNAVAILABLE"),
        ("invalid reference format", "JOB_INVALID_IMAGE_NAME"),
    ],
)
def test_reasons_of_failed_pulls_are_told_apart(reason: str, code: str) -> None:
    fault = pull_fault("x:1", reason)
    assert fault.code == code
    assert reason in str(fault)
