"""Judges whether images can be had: the site's shared registry, and the place of registries' certificates."""

from __future__ import annotations

from pathlib import Path

from workers.doctor.finding import Finding, fail, ok, warn
from workers.logins import Login, LoginAnswer

SHARED = "shared_registry"
REMEDIES = {
    Login.PASSWORD: "correct shared_registry.user and its password, in the settings of every host",
    Login.AUTHORITY: "name the certificate of its authority in shared_registry.ca_file",
    Login.PLAIN: "have it speak https, or name it among the insecure-registries of the engine",
    Login.AWAY: "see that it runs, and that this machine reaches it",
    Login.OTHER: "correct shared_registry.server",
}


def shared(server: str, answer: LoginAnswer) -> Finding:
    """The site's shared registry lets this host in."""
    said = f" ({answer.said})" if answer.said else ""
    if answer.login is Login.DONE:
        return ok(SHARED, f"{server} lets this host in")
    # An engine may be told to take a registry without https.
    verdict = warn if answer.login is Login.PLAIN else fail
    return verdict(SHARED, f"{server}: {answer.login}{said}", REMEDIES[answer.login])


def certificates(directory: Path | None, *, can_be_laid: bool) -> Finding:
    """Certificates that are given with registries get to the engine."""
    check = "host.registry_certs"
    if directory is None:
        return ok(check, "off: the operator lays certificates of registries")
    if can_be_laid:
        return ok(check, f"{directory} can be written")
    return warn(
        check, f"{directory} cannot be written: a registry with a certificate of its own authority is refused",
        f"let the worker write there, or lay each as {directory}/REGISTRY/ca.crt yourself",
    )  # fmt: skip
