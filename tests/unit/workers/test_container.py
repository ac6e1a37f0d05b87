"""What the engine's answers mean."""

import pytest
from docker.errors import APIError

from aitrain.domain.errors import PlatformFault, UserFault
from workers.runtime.container import digest_of, engine_time_ms
from workers.runtime.faults import start_fault


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
