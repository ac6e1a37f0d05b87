"""What it means for a job that its image cannot be had, and what there is to do."""

from __future__ import annotations

from base64 import b64encode

from aitrain.domain.errors import JobFault, PlatformFault, UserFault
from aitrain.domain.imagename import ImageName
from aitrain.domain.states import EndCause, InfoCode
from workers.runtime.access import ImageAccess, Right
from workers.runtime.refusals import Refusal, refusal_of

SHOWN_CHARACTERS = 600


def pull_fault(image: str, reason: str, access: ImageAccess) -> JobFault:
    """What it means that an image was refused. reason: as the engine wrote it; access: what the registry was shown."""
    refusal = refusal_of(reason, image, with_user=bool(access.user))
    reason = _without_secret(reason, access)
    if refusal is Refusal.NAME:
        return UserFault(
            EndCause.IMAGE_REFUSED, InfoCode.JOB_INVALID_IMAGE_NAME, f"{image!r} is not an image reference: {reason}"
        )
    if refusal is Refusal.ROOM:
        return PlatformFault(
            EndCause.ENGINE_FAULT, InfoCode.JOB_IMAGE_PULL, f"image {image!r} has no room on the host's disk: {reason}"
        )
    server = ImageName.of(image).server
    found = f"image {image!r} could not be pulled: {reason}"
    remedy = _remedy(refusal, server, access)
    if refusal is Refusal.AWAY or _is_the_sites(refusal, access):
        return PlatformFault(EndCause.REGISTRY_UNAVAILABLE, InfoCode.JOB_REGISTRY_UNAVAILABLE, f"{found}. {remedy}")
    return UserFault(EndCause.IMAGE_REFUSED, InfoCode.JOB_IMAGE_PULL, f"{found}. {remedy}")


def _without_secret(reason: str, access: ImageAccess) -> str:
    """A registry may say what it likes, and the message of a job is read by many."""
    if access.password:
        for hidden in (access.password, b64encode(f"{access.user}:{access.password}".encode()).decode()):
            reason = reason.replace(hidden, "***")
    return reason if len(reason) <= SHOWN_CHARACTERS else f"{reason[:SHOWN_CHARACTERS]}..."


def _is_the_sites(refusal: Refusal, access: ImageAccess) -> bool:
    """Whether it is the operator's to mend: no user can help that the site's own password is refused."""
    mended_by_operator = (Refusal.PASSWORD, Refusal.NO_USER, Refusal.NO_RIGHT, Refusal.AUTHORITY, Refusal.PLAIN)
    return access.right is Right.SITE and refusal in mended_by_operator


def _remedy(refusal: Refusal, server: str, access: ImageAccess) -> str:
    project, site = access.project, access.right is Right.SITE
    add = f"`aitrain registry add {project} {server}`"
    if refusal is Refusal.NO_USER:
        return f"Registry {server} wants a user, and project {project!r} has none for it: add one with {add}"
    if refusal is Refusal.PASSWORD and site:
        return f"Registry {server} does not take the site's user {access.user!r}: correct shared_registry on the host"
    if refusal is Refusal.PASSWORD:
        return (
            f"Registry {server} does not take user {access.user!r} of project {project!r} with its password: add it "
            f"again with {add}"
        )
    if refusal is Refusal.NO_RIGHT and access.user:
        return (
            f"Registry {server} does not let user {access.user!r} have it, or does not know it: check its name, and "
            f"give {access.right} user the right to read it"
        )
    if refusal is Refusal.NO_RIGHT:
        return (
            f"Registry {server} lets nobody have it without a user, or does not know it: check its name, or add a user "
            f"with {add}"
        )
    if refusal is Refusal.AUTHORITY and access.has_authority:
        return (
            f"Registry {server} has a certificate that is not of the authority that was given, has run out, or is for "
            "another name: see to it, and that the engine reads host.registry_certs_dir"
        )
    if refusal is Refusal.AUTHORITY and site:
        return f"Registry {server} has a certificate that the host does not trust: set shared_registry.ca_file there"
    if refusal is Refusal.AUTHORITY:
        return (
            f"Registry {server} has a certificate that the host does not trust: add the registry with the "
            f"certificate of its authority: {add} --ca-file FILE"
        )
    if refusal is Refusal.PLAIN:
        return (
            f"Registry {server} does not speak https: have it do so, or name it among the insecure-registries of the "
            "host's engine"
        )
    if refusal is Refusal.UNKNOWN:
        return f"Registry {server} does not have it: check its name and tag"
    return f"Check that registry {server} can be reached from the host"
