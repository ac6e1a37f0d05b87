"""Bad input gets an error that names the field, the value and what would be right."""

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from aitrain.domain.admission import ProjectTerms, Site, admit
from aitrain.domain.errors import InvalidInput
from aitrain.domain.flavor import BUILT_IN, Flavor, Kind
from aitrain.domain.spec import JobSpec
from aitrain.domain.volume import Permission, Volume

SITE = Site(BUILT_IN, {"s3"}, default_timeout_s=604_800, max_timeout_s=2_419_200)

BAD = [
    ({"image": ""}, "image", "is empty"),
    ({"image": "  "}, "image", "is empty"),
    ({"image": "no spaces"}, "image", "not an image reference"),
    ({"image": "UPPER/case"}, "image", "not an image reference"),
    ({"image": "x", "command": "echo 'open"}, "command", "close each quote"),
    ({"image": "x", "command": ["a\0b"]}, "command", "NUL"),
    ({"image": "x", "command": ["", "x"]}, "command", "empty argument"),
    ({"image": "x", "command": ["x", "y" * 200_000]}, "command", "volume"),
    ({"image": "x", "resources": {"gpu": 0}}, "resources.gpu", "at least 1"),
    ({"image": "x", "resources": {"gpu": -1}}, "resources.gpu", "at least 1"),
    ({"image": "x", "resources": {"gpu": "2"}}, "resources.gpu", "whole number"),
    ({"image": "x", "resources": {"gpu": 9}}, "resources.gpu", "at most 4"),
    ({"image": "x", "resources": {"cpu": 13}}, "resources.cpu", "at most 12"),
    ({"image": "x", "resources": {"flavor": "tpu"}}, "resources.flavor", "cpu, h100, v100s"),
    ({"image": "x", "resources": {"gpu": 1, "flavor": "cpu"}}, "resources.flavor", "h100, v100s"),
    ({"image": "x", "resources": {"memory": 1}}, "resources.memory", "leave it out"),
    ({"image": "x", "volumes": ["nonsense"]}, "volumes[0]", "container@alias/prefix:mount_path"),
    ({"image": "x", "volumes": ["data@s3:relative"]}, "volumes[0].mount_path", "/relative"),
    ({"image": "x", "volumes": ["data@s3:/a/../b"]}, "volumes[0].mount_path", "without"),
    ({"image": "x", "volumes": ["data@s3:/"]}, "volumes[0].mount_path", "below /"),
    ({"image": "x", "volumes": ["data@s3:/a:rx"]}, "volumes[0].permission", "'ro', 'rw' or 'rwd'"),
    ({"image": "x", "volumes": ["data@s3:/a:ro:often"]}, "volumes[0]", "cache or no-cache"),
    ({"image": "x", "volumes": ["data@s3/../up:/a"]}, "volumes[0].prefix", "without a leading /"),
    ({"image": "x", "volumes": ["Data@s3:/a"]}, "volumes[0].container", "lower-case"),
    ({"image": "x", "volumes": ["data@s3:/a", "other@s3:/a/"]}, "volumes", "two volumes on /a"),
    ({"image": "x", "volumes": ["data@s3:/a", "other@s3:/a/b"]}, "volumes", "/a/b inside /a"),
    ({"image": "x", "volumes": ["data@nowhere:/a"]}, "volumes[0].alias", "use one of: s3"),
    ({"image": "x", "timeout": -1}, "timeout", "at least 0"),
    ({"image": "x", "timeout": 2_419_201}, "timeout", "28 days"),
    ({"image": "x", "env": {"1BAD": "x"}}, "env", "letters, digits and underscores"),
    ({"image": "x", "env": {"AITRAIN_JOB_ID": "x"}}, "env", "are set by aitrain"),
    ({"image": "x", "labels": {"a b": "x"}}, "labels", "up to 63"),
    ({"image": "x", "name": "Not A Name"}, "name", "lower-case letters"),
    ({"image": "x", "project": "a/b"}, "project", "lower-case letters"),
    ({"image": "x", "colour": "red"}, "colour", "typing error"),
    ({"image": "x", "priority": 101}, "priority", "at most 100"),
    ({"image": "x", "priority": -1}, "priority", "at least 0"),
    ({"image": "x", "user": "\x1b[2Jroot"}, "user", "remove them"),
    ({"image": "x", "volumes": ["data@s3/a:/b\n"]}, "volumes[0]", "remove them"),
    ({}, "image", "give it"),
]


@pytest.mark.parametrize(("fields", "field", "remedy"), BAD)
def test_bad_input_names_field_and_remedy(fields: dict[str, Any], field: str, remedy: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        admit(JobSpec.of(**fields), SITE)
    problem = caught.value.problems[0]
    assert problem.field == field
    assert remedy in str(caught.value)


def test_of_a_long_value_only_the_beginning_is_repeated() -> None:
    with pytest.raises(InvalidInput) as caught:
        JobSpec.of(image="x", command=["y" * 200_000])
    assert len(str(caught.value)) < 500


def test_all_problems_are_told_at_once() -> None:
    with pytest.raises(InvalidInput) as caught:
        JobSpec.of(image="", timeout=-5, volumes=["x"])
    assert {problem.field for problem in caught.value.problems} == {"image", "timeout", "volumes[0]"}


def test_values_of_variables_are_never_repeated() -> None:
    secret = "hunter2-secret"
    with pytest.raises(InvalidInput) as caught:
        JobSpec.of(image="x", env={"AITRAIN_TOKEN": secret, "B": 1})
    assert secret not in str(caught.value)
    spec = JobSpec.of(image="x", env={"TOKEN": secret})
    assert secret not in repr(spec)


def test_a_misspelt_field_may_be_a_secrets() -> None:
    with pytest.raises(InvalidInput) as caught:
        JobSpec.of(image="x", pasword="hunter2-secret")
    assert "hunter2-secret" not in str(caught.value)


@pytest.mark.parametrize(
    "fields",
    [
        {"image": "https://reader:hunter2-secret@r.example/x"},
        {"image": "x", "volumes": ["https://reader:hunter2-secret@git.example/x.git:/code"]},
    ],
)
def test_an_address_is_repeated_without_its_user(fields: dict[str, Any]) -> None:
    with pytest.raises(InvalidInput, match=r"https://\*\*\*@") as caught:
        JobSpec.of(**fields)
    assert "hunter2-secret" not in f"{caught.value} {caught.value.problems}"


def test_a_name_is_generated() -> None:
    names = {JobSpec.of(image="x").name for _ in range(20)}
    assert len(names) > 1
    assert all(len(name.split("-")) == 3 for name in names)


def test_command_as_text_is_split_as_a_shell_would() -> None:
    assert JobSpec.of(image="x", command="python train.py --name 'a b'").command == (
        "python", "train.py", "--name", "a b",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("text", "volume"),
    [
        ("data@s3:/d", Volume(container="data", alias="s3", mount_path="/d")),
        (
            "data@s3/a/b:/d:rw:no-cache",
            Volume(container="data", alias="s3", prefix="a/b/", mount_path="/d", permission=Permission.RW),
        ),
    ],
)
def test_volume_text_and_object_are_the_same(text: str, volume: Volume) -> None:
    assert Volume.parse(text) == volume
    assert Volume.parse(str(volume)) == volume


@pytest.mark.parametrize(
    ("resources", "flavor", "kind", "units"),
    [
        ({}, "v100s", Kind.GPU, 1),
        ({"gpu": 2}, "v100s", Kind.GPU, 2),
        ({"gpu": 1, "cpu": 8}, "v100s", Kind.GPU, 1),
        ({"cpu": 3}, "cpu", Kind.CPU, 3),
        ({"flavor": "h100"}, "h100", Kind.GPU, 1),
        ({"flavor": "cpu"}, "cpu", Kind.CPU, 1),
    ],
)
def test_what_is_left_open_is_settled(resources: dict[str, Any], flavor: str, kind: Kind, units: int) -> None:
    admitted = admit(JobSpec.of(image="x", resources=resources), SITE)
    assert (admitted.flavor, admitted.kind, admitted.units) == (flavor, kind, units)


@pytest.mark.parametrize(("asked", "given"), [(None, 604_800), (0, 604_800), (90, 90), (2_419_200, 2_419_200)])
def test_timeout_default_and_limit(asked: int | None, given: int) -> None:
    assert admit(JobSpec.of(image="x", timeout=asked), SITE).timeout_s == given


def test_a_site_without_a_default_flavor_says_so() -> None:
    flavors = {"a10": Flavor(kind=Kind.GPU, cpu=Decimal(1), memory_gib=Decimal(1), hourly_price=Decimal(1))}
    with pytest.raises(InvalidInput, match=r"no default gpu flavor.*a10"):
        admit(JobSpec.of(image="x"), Site(flavors, (), 1, 1))


@pytest.mark.parametrize(
    ("asked", "site_limit", "own_limit", "given"),
    [(None, 100, None, 50), (None, 30, None, 30), (None, 100, 20, 20), (90, 30, 95, 90), (0, 100, None, 0)],
)
def test_priority_is_the_default_cut_to_what_is_allowed(
    asked: int | None, site_limit: int, own_limit: int | None, given: int
) -> None:
    site = replace(SITE, max_priority=site_limit)
    terms = ProjectTerms(max_priority=own_limit)
    assert admit(JobSpec.of(image="x", priority=asked), site, terms).priority == given


def test_a_priority_above_the_ceiling_is_refused() -> None:
    with pytest.raises(InvalidInput, match="give at most 60") as caught:
        admit(JobSpec.of(image="x", priority=61), SITE, ProjectTerms(max_priority=60))
    assert caught.value.problems[0].field == "priority"
