"""Which volumes may be copied while their job runs, and what is said of the others."""

from __future__ import annotations

import pytest

from aitrain.domain.copying import copied_volumes
from aitrain.domain.errors import InvalidInput
from aitrain.domain.job import Direction
from tests.unit.domain.test_retry import job

VOLUMES = ("data@s3:/in", "data@s3:/out:rw", "data@s3:/all:rwd", "https://example.org/code.git:/code")
JOB = job({"volumes": VOLUMES})


@pytest.mark.parametrize(
    ("direction", "mount_path", "numbers"),
    [
        (Direction.PUSH, "", [1, 2]),
        (Direction.PULL, "", [0, 1, 2]),
        (Direction.PUSH, "/out", [1]),
        (Direction.PUSH, "/out/", [1]),
        (Direction.PULL, "/in", [0]),
    ],
)
def test_what_an_order_is_about(direction: Direction, mount_path: str, numbers: list[int]) -> None:
    assert copied_volumes(JOB, direction, mount_path) == numbers


@pytest.mark.parametrize(
    ("direction", "mount_path", "words"),
    [
        (
            Direction.PUSH,
            "/in",
            r"mount_path: '/in' is mounted read-only \(ro\); it cannot be copied by push; name an rw",
        ),
        (Direction.PUSH, "/code", "is a git repository, which is fetched once"),
        (Direction.PULL, "/code", "is a git repository, which is fetched once"),
        (Direction.PULL, "/", "it has: /in, /out, /all, /code"),
        (Direction.PULL, "/nowhere", "is no volume of the job; it has: /in, /out, /all, /code"),
    ],
)
def test_what_cannot_be_copied(direction: Direction, mount_path: str, words: str) -> None:
    with pytest.raises(InvalidInput, match=words):
        copied_volumes(JOB, direction, mount_path)


def test_a_job_with_nothing_to_push() -> None:
    with pytest.raises(InvalidInput, match="has no rw or rwd volume to push"):
        copied_volumes(job({"volumes": VOLUMES[:1]}), Direction.PUSH, "")
