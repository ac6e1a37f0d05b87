"""Stamps, and what a process says of one that is not its own."""

from __future__ import annotations

import pytest

from aitrain.domain.schema import SCHEMA, UNSTAMPED, Stamp
from aitrain.domain.spec import JobSpec


@pytest.mark.parametrize("text", ["", "2", "1>2", "7"])
def test_a_stamp_is_read_as_it_is_written(text: str) -> None:
    assert str(Stamp.of(text)) == text


@pytest.mark.parametrize("text", ["x", "2>", ">2", "2.0"])
def test_what_is_no_stamp_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="invalid literal"):
        Stamp.of(text)


def test_whoever_is_older_is_told_to_be_upgraded_or_to_take_the_backup_back() -> None:
    assert Stamp(SCHEMA + 1).problem("1.2") == (
        f"the job store has schema {SCHEMA + 1}, and this aitrain (1.2) has schema {SCHEMA}",
        "the store was upgraded: upgrade this process, too, or restore the backup that was made before that",
    )
    assert Stamp(SCHEMA, SCHEMA + 1).is_newer, "what is half migrated is no longer ours"


def test_whoever_is_newer_is_told_what_brings_the_store_up_to_date() -> None:
    found, remedy = Stamp(UNSTAMPED).problem("1.2") or ("", "")
    assert f"has schema {UNSTAMPED}" in found
    assert "start `aitrain control`" in remedy
    assert "is being brought from schema 1 to 2" in (Stamp(1, 2).problem("1.2") or ("",))[0]
    assert Stamp(SCHEMA).problem("1.2") is None


def test_a_spec_of_a_newer_client_is_read_and_what_is_new_in_it_is_named() -> None:
    text = '{"image":"x","later":1,"resources":{"cpu":1,"sooner":2},"volumes":[]}'
    spec, unknown = JobSpec.read(text)
    assert (spec.image, spec.resources.cpu) == ("x", 1)
    assert set(unknown) == {"later", "resources.sooner"}
    with pytest.raises(ValueError, match="image"):
        JobSpec.read('{"later":1}')


def test_a_spec_of_an_older_client_has_the_defaults_of_today() -> None:
    assert JobSpec.read('{"image":"x","name":"n"}') == (JobSpec(image="x", name="n"), ())
