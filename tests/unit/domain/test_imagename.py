"""Names of images, as Docker reads them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aitrain.domain.imagename import ImageName, same_server
from aitrain.domain.spec import IMAGE

DIGEST = "sha256:" + "0a" * 32


@pytest.mark.parametrize(
    ("reference", "server", "path", "tag", "digest", "familiar"),
    [
        ("busybox", "docker.io", "library/busybox", "latest", "", "busybox"),
        ("docker.io/library/busybox:1", "docker.io", "library/busybox", "1", "", "busybox"),
        ("index.docker.io/team/x", "docker.io", "team/x", "latest", "", "team/x"),
        ("team/x:1.2", "docker.io", "team/x", "1.2", "", "team/x"),
        ("localhost/x", "localhost", "x", "latest", "", "localhost/x"),
        ("r:5000/x", "r:5000", "x", "latest", "", "r:5000/x"),
        ("r.example/a/b/c:1", "r.example", "a/b/c", "1", "", "r.example/a/b/c"),
        (f"r.example/a@{DIGEST}", "r.example", "a", "", DIGEST, "r.example/a"),
        (f"r.example:1/a:2@{DIGEST}", "r.example:1", "a", "2", DIGEST, "r.example:1/a"),
        ("x:5000", "docker.io", "library/x", "5000", "", "x"),
        ("docker.io/r.example/x", "docker.io", "r.example/x", "latest", "", "docker.io/r.example/x"),
    ],
)
def test_what_is_left_open_is_dockers(
    reference: str, server: str, path: str, tag: str, digest: str, familiar: str
) -> None:
    name = ImageName.of(reference)
    assert name == ImageName(server, path, tag, digest)
    assert name.full == f"{server}/{path}"
    assert name.familiar == familiar
    assert name.version == (digest or tag)


servers = st.sampled_from(["", "docker.io/", "index.docker.io/", "localhost/", "r.example/", "r:5000/", "1.2.3.4:5/"])
part = st.from_regex(r"[a-z0-9]{1,4}([._-][a-z0-9]{1,3})?", fullmatch=True)
tags = st.one_of(st.just(""), st.from_regex(r":[A-Za-z0-9_][A-Za-z0-9_.-]{0,5}", fullmatch=True))


@given(servers, st.lists(part, min_size=1, max_size=3), tags, st.sampled_from(["", f"@{DIGEST}"]))
def test_a_name_written_out_means_the_same(server: str, parts: list[str], tag: str, digest: str) -> None:
    reference = server + "/".join(parts) + tag + digest
    if not server and len(parts) > 1 and ("." in parts[0] or parts[0] == "localhost"):
        return  # the first part is a server
    assert IMAGE.fullmatch(reference)
    name = ImageName.of(reference)
    whole = f"{name.server}/{name.path}{f':{name.tag}' if name.tag else ''}{f'@{name.digest}' if name.digest else ''}"
    assert ImageName.of(whole) == name
    short = name.familiar + (f":{name.tag}" if name.tag else "") + (f"@{name.digest}" if name.digest else "")
    assert ImageName.of(short) == name
    assert name.is_among([] if digest else [short], [f"{name.familiar}@{name.digest}"] if digest else [])


def test_the_names_under_which_an_engine_has_an_image() -> None:
    tags, digests = ["r.example/red/x:1", "busybox:latest"], [f"r.example/red/x@{DIGEST}"]
    for known in (*tags, *digests, f"r.example/red/x:9@{DIGEST}", "docker.io/library/busybox"):
        assert ImageName.of(known).is_among(tags, digests), known
    for other in ("0a0a0a0a0a0a", "r.example/red/x", "r.example/blue/x:1", f"r.example/blue/x@{DIGEST}", "x:1"):
        assert not ImageName.of(other).is_among(tags, digests), other
    assert ImageName.of("r.example/red/x:7").has_digest(digests)
    assert not ImageName.of("busybox").has_digest(digests), "it was made on the host"


def test_the_same_server() -> None:
    assert same_server("R.Example:443", "r.example")
    assert same_server("docker.io", "registry-1.docker.io")
    assert not same_server("r.example:5000", "r.example")
