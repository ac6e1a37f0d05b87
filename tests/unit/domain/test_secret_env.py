"""Secret variables in a spec: checked as others are, and given away by nothing."""

from __future__ import annotations

import pickle
from typing import Any

import pytest
from pydantic import SecretStr

from aitrain.domain.errors import InvalidInput
from aitrain.domain.spec import MAX_SECRET_BYTES, JobSpec

SECRET = "hunter2-secret"


def test_the_values_are_there_until_it_is_kept() -> None:
    spec = JobSpec.of(image="x", env={"A": "1"}, secret_env={"B": SECRET, "C": SecretStr(SECRET)})
    assert spec.secret_env == {"B": SecretStr(SECRET), "C": SecretStr(SECRET)}
    for told in (repr(spec), str(spec), spec.model_dump_json(), str(spec.model_dump()), str(spec.secret_env)):
        assert SECRET not in told
    kept = JobSpec.model_validate_json(spec.model_dump_json(exclude_defaults=True))
    assert kept == spec.without_secrets()
    assert kept.secret_env == {"B": None, "C": None}
    assert SECRET.encode() not in pickle.dumps(spec.without_secrets())
    assert JobSpec.of(image="x", secret_env=["B", "C"]).secret_env == kept.secret_env
    assert "secret_env" not in JobSpec.of(image="x").model_dump_json(exclude_defaults=True)


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"secret_env": {"B": "hunter2\0"}}, "sets B to a text with a NUL"),
        ({"secret_env": {"B": "hunter2\udcff"}}, "sets B to what is no text"),
        ({"secret_env": {"AITRAIN_X": "hunter2"}}, "AITRAIN_X"),
        ({"secret_env": {"1B": "hunter2"}}, "a variable named '1B'"),
        ({"env": {"B": "1"}, "secret_env": {"B": "hunter2"}}, "has B in env and in secret_env"),
        ({"secret_env": {"B": "hunter2" * MAX_SECRET_BYTES}}, f"larger than {MAX_SECRET_BYTES} bytes"),
        ({"secret_env": "B=hunter2"}, "secret_env"),
        ({"secret_env": {"B": 4711}}, "secret_env"),
        ({"secret_env": [["hunter2"]]}, "secret_env"),
    ],
)
def test_what_is_wrong_is_told_without_the_value(fields: dict[str, Any], said: str) -> None:
    with pytest.raises(InvalidInput, match=said) as caught:
        JobSpec.of(image="x", **fields)
    assert "hunter2" not in str(caught.value)
    assert "4711" not in str(caught.value)
