"""What a data store said, as a person is told who wants to add it."""

from __future__ import annotations

import pytest

from aitrain.domain.states import InfoCode
from aitrain.settings import DataStore
from workers.checks import problem
from workers.datasync.inspection import DataStoreFacts

STORE = DataStore(endpoint_url="http://127.0.0.1:9000")


@pytest.mark.parametrize(
    ("fault", "code", "container", "field", "words"),
    [
        ("PROGRESS_FAILED_INVALID_CREDENTIALS", "SignatureDoesNotMatch", "", "access_key_id", "SignatureDoesNotMatch"),
        ("PROGRESS_FAILED_FORBIDDEN", "AccessDenied", "", "container", "name one that they may list"),
        ("PROGRESS_FAILED_FORBIDDEN", "AccessDenied", "data", "container", "may not be listed"),
        ("INVALID_CONTAINER", "NoSuchBucket", "data", "container", "is not there"),
        ("PROGRESS_FAILED_TRANSIENT_ERROR", "", "", "endpoint_url", "does not answer"),
        ("PROGRESS_FAILED_UNKNOWN_ERROR", "418", "", "endpoint_url", "(418)"),
        ("PROGRESS_FAILED_UNKNOWN_ERROR", "RequestTimeTooSkewed", "", "endpoint_url", "clocks"),
        ("PROGRESS_FAILED_UNKNOWN_ERROR", "x" * 10_000, "", "endpoint_url", "answers, and refuses"),
    ],
)
def test_refusals(fault: str, code: str, container: str, field: str, words: str) -> None:
    facts = DataStoreFacts(None, code, "complaint", fault=InfoCode(f"DATASYNC_{fault}"))
    found = problem(facts, STORE, container)
    assert found is not None
    assert found.field == field
    assert words in str(found)
    assert len(str(found)) < 1000


def test_no_refusal() -> None:
    assert problem(DataStoreFacts(0), STORE, "") is None
