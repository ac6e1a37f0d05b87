"""Every code is explained, on the page that is drawn from the table and wherever else the documents name one."""

import re
from pathlib import Path

import pytest

from aitrain.domain.codes import CODES, CodeRow
from aitrain.domain.states import CAUSES, STATES, InfoCode

DOCS = Path(__file__).parents[3] / "docs"


def test_every_code_that_exists_has_a_row_and_none_that_does_not() -> None:
    assert set(CODES) == set(InfoCode)
    assert {row.code for row in (*STATES.values(), *CAUSES.values())} <= set(CODES)


@pytest.mark.parametrize(("code", "row"), CODES.items(), ids=str)
def test_a_code_says_what_it_means_and_what_to_do(code: InfoCode, row: CodeRow) -> None:
    for text in (row.meaning, row.remedy):
        assert text.endswith("."), f"{code}: {text!r} is no sentence"
        assert text.strip() == text


def test_the_documents_name_no_other_codes() -> None:
    for page in DOCS.rglob("*.md"):
        named = set(re.findall(r"\b(?:JOB|DATASYNC)_[A-Z_]+[A-Z]\b", page.read_text()))
        # A job's own variable.
        assert named - {"JOB_ID", "JOB_NAME"} <= set(InfoCode), page.name
