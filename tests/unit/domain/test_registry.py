"""What is asked for when a registry is added, and whose paths of the shared one are whose."""

from typing import Any

import pytest
from pydantic import SecretStr

from aitrain.domain.errors import InvalidInput
from aitrain.domain.registry import NewRegistry, SharedPaths

PEM = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n"
GOOD: dict[str, Any] = {
    "project": "red", "server": "registry.example:5000", "user": "reader", "password": SecretStr("hunter2"), "ca": PEM,
}  # fmt: skip


@pytest.mark.parametrize(
    ("given", "kept"),
    [("docker.io", "docker.io"), ("index.docker.io", "docker.io"), ("localhost", "localhost"), ("r:5000", "r:5000")],
)
def test_servers(given: str, kept: str) -> None:
    assert NewRegistry.of(**{**GOOD, "server": given}).server == kept


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"server": "https://registry.example"}, "server"),
        ({"server": "registry.example/team"}, "server"),
        ({"server": "Registry.Example"}, "server"),
        ({"server": "registry"}, "server"),
        ({"server": "r.example:0"}, "server"),
        ({"server": ""}, "server"),
        ({"user": "a:b"}, "user"),
        ({"user": ""}, "user"),
        ({"password": SecretStr("")}, "password"),
        ({"password": SecretStr("hunter2\nx")}, "password"),
        ({"password": SecretStr("hunter2\r")}, "password"),
        ({"ca": "hunter2"}, "ca"),
        ({"ca": "-----BEGIN PRIVATE KEY-----\nhunter2\n-----END PRIVATE KEY-----\n"}, "ca"),
        ({"ca": PEM * 2000}, "ca"),
        ({"project": "No Project"}, "project"),
    ],
)
def test_what_is_no_registry(wrong: dict[str, Any], field: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        NewRegistry.of(**{**GOOD, **wrong})
    assert [problem.field for problem in caught.value.problems] == [field]
    assert "hunter2" not in str(caught.value)


def test_more_than_one_certificate_with_remarks() -> None:
    assert NewRegistry.of(**{**GOOD, "ca": f"subject=CN a\n{PEM}issuer=CN b\n{PEM}"}).ca


SHARED = SharedPaths("registry.lab:5000", ("base",))


@pytest.mark.parametrize(
    ("image", "allowed"),
    [
        ("registry.lab:5000/red/x:1", True),
        ("registry.lab:5000/red/deep/x@sha256:" + "0" * 64, True),
        ("registry.lab:5000/base/x", True),
        ("registry.lab:5000/blue/x", False),
        ("registry.lab:5000/redder/x", False),
        ("registry.lab:5000/red", False),
        ("registry.lab:5000/x", False),
        ("REGISTRY.lab:5000/blue/x", False),
        ("registry.lab/blue/x", True),
        ("blue/x", True),
    ],
)
def test_a_project_has_its_own_path_and_the_common_ones(image: str, *, allowed: bool) -> None:
    problem = SHARED.problem(image, "red")
    assert (problem is None) is allowed
    if problem is not None:
        assert "registry.lab:5000/red/..." in str(problem)
        assert "registry.lab:5000/base/..." in str(problem)
    assert SharedPaths().problem(image, "red") is None
