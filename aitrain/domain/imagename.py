"""Names of images, read as Docker reads them: which registry has it, where there, and which of its versions.

    [registry[:port]/]path[:tag][@digest]

What is before the first slash is a registry if it has a dot, a colon or a capital letter, or is "localhost". Without
one it is Docker Hub, where a path of one part is below "library".
"""

from __future__ import annotations

import re
from dataclasses import dataclass

HUB = "docker.io"
# What Docker has called its own registry, and what it still takes for it.
HUB_ALIASES = frozenset({HUB, "index.docker.io", "registry-1.docker.io"})
LIBRARY = "library"
DEFAULT_TAG = "latest"
# An engine looks for such a name among the ids of its images, too, whoever's they are.
IMAGE_ID = re.compile(r"(sha256:)?[0-9a-f]{64}")


@dataclass(frozen=True)
class ImageName:
    """An image's name with everything that it leaves open.

    server: of its registry, with the port if one is named; path: in the registry; tag: "latest" if neither a tag nor a
    digest is named, "" beside a digest alone; digest: "sha256:...", or "".
    """

    server: str
    path: str
    tag: str
    digest: str

    @classmethod
    def of(cls, reference: str) -> ImageName:
        """From a reference that has the form of one (see domain.spec.IMAGE)."""
        named, _, digest = reference.partition("@")
        first, slash, rest = named.partition("/")
        if slash and _is_server(first):
            server, named = first, rest
        else:
            server = HUB
        path, _, tag = named.partition(":")
        server = HUB if server in HUB_ALIASES else server
        if server == HUB and "/" not in path:
            path = f"{LIBRARY}/{path}"
        return cls(server, path, tag or ("" if digest else DEFAULT_TAG), digest)

    @property
    def familiar(self) -> str:
        """Server and path as an engine shows them: without what is Docker Hub's, unless what is left means another."""
        if self.server != HUB or ("/" in self.path and _is_server(self.path.partition("/")[0])):
            return self.full
        return self.path.removeprefix(f"{LIBRARY}/")

    @property
    def full(self) -> str:
        """Server and path."""
        return f"{self.server}/{self.path}"

    @property
    def version(self) -> str:
        """The digest if one is named, which wins over a tag; else the tag."""
        return self.digest or self.tag

    def is_among(self, tags: list[str], digests: list[str]) -> bool:
        """Whether an engine that lists an image with these tags and digests has it under this very name."""
        known = {ImageName.of(one) for one in (*tags, *digests)}
        wanted = ImageName(self.server, self.path, "" if self.digest else self.tag, self.digest)
        return wanted in known

    def has_digest(self, digests: list[str]) -> bool:
        """Whether an engine has an image with these digests from this registry and path, in whatever version."""
        return any((known.server, known.path) == (self.server, self.path) for known in map(ImageName.of, digests))


def same_server(one: str, other: str) -> bool:
    """Whether two names of servers lead to the same registry, as far as names tell."""
    return _folded(one) == _folded(other)


def server_name(server: str) -> str:
    """A server by the one name that it is kept under: Docker Hub has several."""
    return HUB if server.lower() in HUB_ALIASES else server


def _folded(server: str) -> str:
    return server_name(server.lower().removesuffix(":443"))


def _is_server(text: str) -> bool:
    return "." in text or ":" in text or text == "localhost" or text != text.lower()
