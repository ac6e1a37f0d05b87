"""With whose right a job's image is had: the site's for its shared registry, else the project's own, else nobody's.

Decided on the host, from what the job store says of the job and what the settings of this host say of the site.
"""

from __future__ import annotations

from aitrain.domain.errors import PlatformFault, UserFault
from aitrain.domain.imagename import ImageName
from aitrain.domain.states import EndCause, InfoCode
from aitrain.settings import SharedRegistry
from workers.runtime import ImageAccess, Right
from workers.runtime.certs import lay_authority
from workers.step import Run


def check_image(run: Run) -> None:
    """Raises UserFault if the image is another project's, of the site's shared registry."""
    problem = run.machine.settings.shared_registry.paths.problem(run.job.spec.image, run.job.project)
    if problem is not None:
        raise UserFault(EndCause.IMAGE_REFUSED, InfoCode.JOB_IMAGE_PULL, str(problem))


def image_access(run: Run) -> ImageAccess:
    """What the registry of a job's image is shown.

    Lays the certificate of its authority for the engine, if one was given. Raises PlatformFault if that, or a password,
    cannot be had now.
    """
    settings, project = run.machine.settings, run.job.project
    server = ImageName.of(run.job.spec.image).server
    certs_dir, shared = settings.host.registry_certs_dir, settings.shared_registry
    if shared.paths.has(server):
        password, ca = _of_the_site(shared)
        if ca:
            lay_authority(certs_dir, server, ca)
        right = Right.SITE if shared.user else Right.NOBODY
        return ImageAccess(project, right, shared.user, password, has_authority=bool(ca))
    entry = run.machine.store.registry(project, server)
    if entry is None:
        return ImageAccess(project)
    if entry.ca:
        lay_authority(certs_dir, server, entry.ca)
    login = run.secrets.registry(server)
    if login is None:  # removed just now
        return ImageAccess(project)
    return ImageAccess(project, Right.PROJECT, *login, has_authority=bool(entry.ca))


def _of_the_site(shared: SharedRegistry) -> tuple[str, str]:
    """The password, and the certificates of the authority, "" if none were given."""
    try:
        return shared.secret(), shared.ca_file.read_text() if shared.ca_file else ""
    except OSError as error:
        raise PlatformFault(
            EndCause.REGISTRY_UNAVAILABLE,
            InfoCode.JOB_REGISTRY_UNAVAILABLE,
            f"the site's shared registry cannot be used from this host: {error}",
        ) from error
