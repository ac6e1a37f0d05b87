"""What may be a project's data store, and what is shown of one."""

from __future__ import annotations

from typing import Any

import pytest

from aitrain.domain.datastore import NewDataStore, masked
from aitrain.domain.errors import InvalidInput

SECRET = "hunter2-secret"
GOOD: dict[str, Any] = {
    "project": "red", "alias": "s3", "endpoint_url": "http://127.0.0.1:9000", "region": "us-east-1",
    "access_key_id": "AKIAIOSFODNN7EXAMPLE", "secret_access_key": SECRET,
}  # fmt: skip


@pytest.mark.parametrize(
    "fields",
    [
        {}, {"endpoint_url": None}, {"endpoint_url": "https://s3.gra.io.cloud.example/"}, {"region": "RegionOne"},
        {"endpoint_url": "http://[::1]:9000"}, {"endpoint_url": "http://minio/path"}, {"container": "data.set-1"},
        {"alias": "My_Store.2"},
    ],
)  # fmt: skip
def test_good_ones(fields: dict[str, Any]) -> None:
    asked = NewDataStore.of(**{**GOOD, **fields})
    assert SECRET not in repr(asked)
    assert GOOD["access_key_id"] not in repr(asked)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("project", "No Good"), ("project", "a/b"), ("alias", ""), ("alias", "a/b"), ("alias", "a\n"),
        ("endpoint_url", "nonsense"), ("endpoint_url", ""), ("endpoint_url", "ftp://host"), ("endpoint_url", "http://"),
        ("endpoint_url", "http://user:password@host"), ("endpoint_url", "http://host:99999"),
        ("endpoint_url", "http://a..b"), ("endpoint_url", "http://host/?x=1"), ("endpoint_url", "http://host\n"),
        ("endpoint_url", "http://[::1"), ("endpoint_url", "http://-host"), ("endpoint_url", "http://hö.example"),
        ("region", ""), ("region", "12"), ("region", "a b"), ("region", "-a"), ("container", "No"),
    ],
)  # fmt: skip
def test_wrong_fields_are_named_with_their_value(field: str, value: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        NewDataStore.of(**{**GOOD, field: value})
    problem = caught.value.problems[0]
    assert (problem.field, problem.value) == (field, value.replace("user:password", "***"))
    assert problem.remedy
    assert SECRET not in str(caught.value)


@pytest.mark.parametrize("field", ["access_key_id", "secret_access_key"])
@pytest.mark.parametrize("value", ["", "two words hunter2", "line\n", "hünter2-secret", 7])
def test_a_wrong_key_is_not_repeated(field: str, value: Any) -> None:
    with pytest.raises(InvalidInput) as caught:
        NewDataStore.of(**{**GOOD, field: value})
    assert [(problem.field, problem.value) for problem in caught.value.problems] == [(field, "")]
    assert SECRET not in str(caught.value)
    assert "hunter2" not in str(caught.value)


def test_an_access_key_id_is_masked() -> None:
    assert masked("AKIAIOSFODNN7EXAMPLE") == "***MPLE"
    assert masked("short") == "***"
