"""What the engine's answers mean."""

import pytest
from docker.errors import APIError

from aitrain.domain.errors import PlatformFault, UserFault
from workers.runtime.container import digest_of, engine_time_ms
from workers.runtime.faults import pull_fault, start_fault


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
        ("denied: denied", "JOB_IMAGE_PULL"),
        ("unexpected status code: 403 Forbidden", "JOB_IMAGE_PULL"),
        ("no matching manifest for linux/arm64 in the manifest list entries", "JOB_IMAGE_PULL"),
        ("dial tcp: lookup nowhere.example: no such host", "JOB_REGISTRY_UNAVAILABLE"),
        ("Get https://x/v2/: net/http: request canceled (Client.Timeout exceeded)", "JOB_REGISTRY_UNAVAILABLE"),
        ("invalid reference format", "JOB_INVALID_IMAGE_NAME"),
    ],
)
def test_reasons_of_failed_pulls_are_told_apart(reason: str, code: str) -> None:
    fault = pull_fault("x:1", reason)
    assert fault.code == code
    assert reason in str(fault)


def test_a_disk_without_room_is_not_the_users_fault() -> None:
    assert isinstance(pull_fault("x:1", "write /var/lib/docker/tmp/x: no space left on device"), PlatformFault)


@pytest.mark.parametrize(
    ("reason", "fault"),
    [
        ('runc create failed: exec: "nope": executable file not found in $PATH: unknown', UserFault),
        ('error mounting "/x" to rootfs at "/bin/busybox": mount: not a directory: unknown', UserFault),
        ("nvidia-container-cli: initialization error: nvml error: driver not loaded: unknown", PlatformFault),
        ("unable to apply cgroup configuration: open /sys/fs/cgroup: no such file or directory", PlatformFault),
    ],
)
def test_reasons_of_failed_starts_are_told_apart(reason: str, fault: type[Exception]) -> None:
    assert isinstance(start_fault(("nope",), APIError("500", explanation=reason)), fault)


@pytest.mark.parametrize(
    ("image", "digest"),
    [
        ("registry.example:5000/team/trainer:1", "sha256:1"),
        ("registry.example:5000/team/trainer", "sha256:1"),
        ("registry.example:5000/team/trainer@sha256:1", "sha256:1"),
        ("trainer:1.0", "sha256:2"),
        ("registry.example/team/trainer:1", ""),
        ("trainer2", ""),
    ],
)
def test_the_digest_is_the_one_of_the_references_registry(image: str, digest: str) -> None:
    known = ["trainer@sha256:2", "registry.example:5000/team/trainer@sha256:1", "<none>"]
    assert digest_of(image, known) == digest
    assert digest_of(image, []) == ""
