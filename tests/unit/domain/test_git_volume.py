"""Volumes that are git repositories, as they are written."""

import pytest
from pydantic import ValidationError

from aitrain.domain.volume import Permission, Volume

URL = "https://git.example:8443/team/train-er.git"


@pytest.mark.parametrize(
    ("text", "url", "ref"),
    [
        (f"{URL}:/code", URL, ""),
        (f"{URL}:/code:ro", URL, ""),
        (f"{URL}@main:/code", URL, "main"),
        (f"{URL}@feature/x-1:/code:ro:no-cache", URL, "feature/x-1"),
        (f"{URL}@v1.0+cu12:/code", URL, "v1.0+cu12"),
    ],
)
def test_what_can_be_written(text: str, url: str, ref: str) -> None:
    volume = Volume.parse(text)
    assert (volume.url, volume.ref, volume.mount_path, volume.permission) == (url, ref, "/code", Permission.RO)
    assert Volume.parse(str(volume)) == volume


@pytest.mark.parametrize(
    "text",
    [
        f"{URL}:/code:rw",
        f"{URL}:/code:ro:cache",
        f"{URL}@--upload-pack=touch:/code",
        f"{URL}@a..b:/code",
        f"{URL}@a.lock:/code",
        f"{URL}@a b:/code",
        "https://user:secret@git.example/x.git:/code",
        "http://git.example/x.git:/code",
        "ssh://git.example/x.git:/code",
        "file:///srv/x.git:/code",
        "https://git.example/x.git?evil:/code",
        "https://git.example/--x y.git:/code",
    ],
)
def test_what_cannot(text: str) -> None:
    with pytest.raises(ValidationError):
        Volume.parse(text)


def test_a_repository_names_no_container() -> None:
    with pytest.raises(ValidationError):
        Volume(url=URL, container="data", alias="s3", mount_path="/code")
    with pytest.raises(ValidationError):
        Volume(container="data", alias="s3", ref="main", mount_path="/code")
